-- Puts the lines of result files together: a record as it was read, its number, how it ended.
-- Knows plain CSV.

local MOST_DIGITS = 20

-- Where the line feed is that ends a record with quotes, given one at or before it; -1 if none does.
local function end_of_quoted(content, from, line_end, size)
  local in_quotes = false
  local at = from
  while true do
    local quote = find(content, QUOTE, at, line_end)
    if quote >= 0 then
      in_quotes = not in_quotes
      at = quote + 1
    elseif not in_quotes then
      return line_end
    else
      at = line_end + 1
      line_end = find(content, LINE_FEED, at, size)
      if line_end < 0 then
        return -1
      end
    end
  end
end

-- Adds 1 to a number in decimal digits; gives where it starts.
local function increase(digits, start)
  local at = MOST_DIGITS - 1
  while at >= start and digits[at] == NINE do
    digits[at] = NOUGHT
    at = at - 1
  end
  if at < start then
    start = at
    digits[at] = NOUGHT
  end
  digits[at] = digits[at] + 1
  return start
end

local out_size = 1024
local out = BUFFER(out_size)

-- lines: `Id,true` of each row that has one, each with a line feed. first: the number of the first
-- row. others: the rows without a line, in order, as 64-bit numbers.
--
-- Gives a function that takes where what comes next of the records is, its size, and whether nothing follows it. It
-- gives the lines of the file, the records without one, how many these are, how many records there were, and where the
-- last whole one ends. Called with nothing, it says whether all lines were used, and no more were needed.
return function(lines, first, others)
  local digits = BUFFER(MOST_DIGITS)
  local text = string.format("%d", first)
  local start = MOST_DIGITS - #text
  ffi.copy(digits + start, text, #text)
  local row, line, other, is_short = first, 0, 0, false

  return function(address, content_size, is_last)
    -- A pointer does not keep its string: these strings are named here, so they stay.
    local lines_at, lines_size = ffi.cast(BYTES, lines), #lines
    local other_rows, others_size = ffi.cast("const uint64_t *", others), #others / 8
    local content_at = bytes_at(address)
    if content_size == 0 then
      return not is_short and line == lines_size and other == others_size
    end
    local left = {}
    local from, size, began = 0, 0, row
    while from < content_size do
      local stop = find(content_at, LINE_FEED, from, content_size)
      if stop >= 0 and find(content_at, QUOTE, from, stop) >= 0 then
        stop = end_of_quoted(content_at, from, stop, content_size)
      end
      if stop < 0 then
        is_short = is_last
        break
      end
      if other < others_size and other_rows[other] == row then
        left[#left + 1] = ffi.string(content_at + from, stop + 1 - from)
        other = other + 1
      else
        local line_end = find(lines_at, LINE_FEED, line, lines_size)
        if line_end < 0 then
          is_short = true
          break
        end
        local line_size = line_end + 1 - line
        local needed = size + stop - from + MOST_DIGITS + 2 + line_size
        if needed > out_size then
          out, out_size = grown(out, size, needed)
        end
        ffi.copy(out + size, content_at + from, stop - from)
        size = size + stop - from
        out[size] = COMMA
        ffi.copy(out + size + 1, digits + start, MOST_DIGITS - start)
        size = size + 1 + MOST_DIGITS - start
        out[size] = COMMA
        ffi.copy(out + size + 1, lines_at + line, line_size)
        size = size + 1 + line_size
        line = line + line_size
      end
      from = stop + 1
      row = row + 1
      -- What happens mostly has no loop of its own: LuaJIT gives up on loops in loops.
      if digits[MOST_DIGITS - 1] ~= NINE then
        digits[MOST_DIGITS - 1] = digits[MOST_DIGITS - 1] + 1
      else
        start = increase(digits, start)
      end
    end
    return ffi.string(out, size), table.concat(left), #left, row - began, from
  end
end
