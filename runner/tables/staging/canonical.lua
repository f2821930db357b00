-- Whether texts are canonical ones of their kinds: what DuckDB would write of their values.

local MINUS, DOT, COLON = 45, 46, 58
local MOST_DIGITS = 18

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

local id_signs = ffi.new("uint8_t[256]")
for place = 0, 255 do
  id_signs[place] = string.char(place):find("^[0-9A-Za-z]$") and 1 or 0
end

local function are_id_signs(at, from)
  return id_signs[at[from]] + id_signs[at[from + 1]] + id_signs[at[from + 2]] == 3
end

local function is_id(at, from, stop)
  if stop ~= from + 15 and stop ~= from + 18 then
    return false
  end
  return are_id_signs(at, from)
    and are_id_signs(at, from + 3)
    and are_id_signs(at, from + 6)
    and are_id_signs(at, from + 9)
    and are_id_signs(at, from + 12)
    and (stop == from + 15 or are_id_signs(at, from + 15))
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
  elseif kind == 88 then -- X
    return is_id(at, from, stop)
  end
  return kind == 67 and stop == from + 13 and is_clock(at, from) -- C
end
