-- Looks whether records of plain CSV are sent as they are read: byte for byte what DuckDB would write of
-- their values, which are texts that nothing changes, and canonical texts of their kinds.

local MINUS, DOT, COLON = 45, 46, 58
local FIRST_SHOWN = 33 -- a text that starts with `!` or a later byte is neither blank nor trimmed
local MOST_DIGITS = 18
local TEXT, OTHER = 84, 79 -- `T` and `O`

local function is_digit(byte)
  return byte >= NOUGHT and byte <= NINE
end

local function is_whole(at, from, stop)
  if at[from] == NOUGHT then
    return stop == from + 1
  end
  if stop == from or stop > from + MOST_DIGITS then
    return false
  end
  for place = from, stop - 1 do
    if not is_digit(at[place]) then
      return false
    end
  end
  return true
end

local function is_integer(at, from, stop)
  return is_whole(at, at[from] == MINUS and from + 1 or from, stop)
end

local function is_number(at, from, stop)
  local dot = find(at, DOT, from, stop)
  if dot < 0 then
    return is_integer(at, from, stop)
  end
  if dot + 1 == stop then
    return false
  end
  for place = dot + 1, stop - 1 do
    if not is_digit(at[place]) then
      return false
    end
  end
  return is_integer(at, from, dot)
end

local function is_boolean(at, from, stop)
  if stop == from + 4 then
    return C.memcmp(at + from, "true", 4) == 0
  end
  return stop == from + 5 and C.memcmp(at + from, "false", 5) == 0
end

-- The number of two digits; 100 if they are none.
local function two(at, from)
  if not (is_digit(at[from]) and is_digit(at[from + 1])) then
    return 100
  end
  return 10 * (at[from] - NOUGHT) + at[from + 1] - NOUGHT
end

local days = ffi.new("uint8_t[13]", { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 })

local function is_day(at, from, first_century)
  local century, year, month, day = two(at, from), two(at, from + 2), two(at, from + 5), two(at, from + 8)
  if century > 99 or year > 99 or month < 1 or month > 12 or day < 1 or day > 99 then
    return false
  end
  if at[from + 4] ~= MINUS or at[from + 7] ~= MINUS or century < first_century or century + year == 0 then
    return false
  end
  if month == 2 and year % 4 == 0 and (year ~= 0 or century % 4 == 0) then
    return day <= 29
  end
  return day <= days[month]
end

local function is_clock(at, from)
  return two(at, from) < 24
    and at[from + 2] == COLON
    and two(at, from + 3) < 60
    and at[from + 5] == COLON
    and two(at, from + 6) < 60
    and at[from + 8] == DOT
    and two(at, from + 9) < 100
    and is_digit(at[from + 11])
    and at[from + 12] == 90
end

-- Where a value in quotes ends, after its last quote, and its length; nil if it needs none, would change, or never ends.
local function end_of_quoted(at, from, size, needs_for_hash)
  if at[from + 1] < FIRST_SHOWN then
    return nil
  end
  local needs, pairs = false, 0
  local place = from + 1
  while place < size do
    local byte = at[place]
    if byte == QUOTE then
      if at[place + 1] ~= QUOTE then
        if not needs then
          return nil
        end
        return place + 1, place - from - 1 - pairs
      end
      pairs, needs = pairs + 1, true
      place = place + 1
    elseif byte == COMMA or byte == LINE_FEED or (byte == HASH and needs_for_hash) then
      needs = true
    end
    place = place + 1
  end
  return nil
end

local function is_canonical(kind, at, from, stop)
  if kind == 66 then -- B
    return is_boolean(at, from, stop)
  elseif kind == 78 then -- N
    return is_number(at, from, stop)
  elseif kind == 73 then -- I
    return is_integer(at, from, stop)
  elseif kind == 68 then -- D
    return stop == from + 10 and is_day(at, from, 0)
  elseif kind == 77 then -- M
    return stop == from + 24 and at[from + 10] == 84 and is_day(at, from, 10) and is_clock(at, from + 11)
  end
  return kind == 67 and stop == from + 13 and is_clock(at, from) -- C
end

local out_size = 1024
local out = BUFFER(out_size)

-- content: whole records. kinds: a letter for each column: Text, Boolean, Integer, Number, Date,
-- M for a datetime, C for a time, Other. longest: bytes that each text may have, as 32-bit numbers.
--
-- Gives the number of records, and those cells of the other columns as CSV; nil if one has to be
-- looked at closer.
return function(content, kinds, longest)
  local at, size, columns = ffi.cast(BYTES, content), #content, #kinds
  local kind_of, most = ffi.cast(BYTES, kinds), ffi.cast("const uint32_t *", longest)
  local has_hash = find(at, HASH, 0, size) >= 0
  local from, rows, length = 0, 0, 0
  local column, began, stop, has_quotes = 0, 0, 0, false
  -- One loop over all cells: LuaJIT compiles no loop around other loops well.
  while from < size do
    if column == 0 then
      stop = find(at, LINE_FEED, from, size)
      if stop < 0 then
        return nil
      end
      has_quotes = find(at, QUOTE, from, stop) >= 0
      began = from
      if has_hash and not has_quotes and find(at, HASH, from, stop) >= 0 then
        return nil
      end
    end
    local kind = kind_of[column]
    local ends, value_size
    if has_quotes and at[from] == QUOTE then
      ends, value_size = end_of_quoted(at, from, size, has_hash)
      if not ends or kind ~= TEXT then
        return nil
      end
      if ends > stop then
        stop = find(at, LINE_FEED, ends, size)
        if stop < 0 then
          return nil
        end
      end
    else
      ends = find(at, COMMA, from, stop)
      if ends < 0 then
        ends = stop
      end
      value_size = ends - from
      if value_size > 0 and at[from] < FIRST_SHOWN then
        return nil
      end
      if has_quotes then
        if find(at, QUOTE, from, ends) >= 0 then
          return nil
        end
        if has_hash and find(at, HASH, from, ends) >= 0 then
          return nil
        end
      end
    end
    if kind == TEXT then
      if value_size > most[column] then
        return nil
      end
    elseif kind == OTHER then
      if length + value_size + 1 > out_size then
        out, out_size = grown(out, length, length + value_size + 1)
      end
      ffi.copy(out + length, at + from, value_size)
      length = length + value_size
      out[length] = COMMA
      length = length + 1
    elseif value_size > 0 and not is_canonical(kind, at, from, ends) then
      return nil
    end
    column = column + 1
    if column < columns then
      if ends >= stop or at[ends] ~= COMMA then
        return nil
      end
    else
      if ends ~= stop or ends - began < columns then -- nothing but commas
        return nil
      end
      column = 0
      rows = rows + 1
      if length > 0 then
        out[length - 1] = LINE_FEED
      end
    end
    from = ends + 1
  end
  if column ~= 0 then
    return nil
  end
  return rows, ffi.string(out, length)
end
