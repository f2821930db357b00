-- Writes records of Bulk API 2.0 again, numbers with an exponent in full: `1.2345678E7` as `12345678.0`. Knows the form
-- of such records: every value in quotes, and a line feed after the last.

local LETTER = 69

-- The number in full; nil if Java would not print it so.
local function in_full(text)
  local sign, whole, part, exponent = text:match("^(-?)([1-9])%.(%d+)E(-?%d%d?%d?)$")
  if not sign then
    return nil
  end
  local digits = (whole .. part):gsub("0+$", "")
  local point, size = 1 + tonumber(exponent), #digits
  if point <= 0 then
    return sign .. "0." .. ("0"):rep(-point) .. digits
  elseif point >= size then
    return sign .. digits .. ("0"):rep(point - size) .. ".0"
  end
  return sign .. digits:sub(1, point) .. "." .. digits:sub(point + 1)
end

local out_size = 1024
local out = BUFFER(out_size)

-- address, size, is_last: where records are, and whether nothing follows them. is_number: a byte for each column, 1 if
-- it is one of numbers.
--
-- Gives the records, and where the last whole one ends; nil if one has another form.
return function(address, size, is_last, is_number)
  local at, columns = bytes_at(address), #is_number
  local numbers = ffi.cast(BYTES, is_number)
  local written, copied, column, from = 0, 0, 0, 0
  local whole, whole_written, whole_copied = 0, 0, 0 -- the same at the end of the last whole record
  while from < size do
    if at[from] ~= QUOTE then
      return nil
    end
    local stop = end_of_value(at, from + 1, size)
    if stop < 0 or stop + 1 >= size then
      break
    end
    if numbers[column] == 1 and find(at, LETTER, from + 1, stop) >= 0 then
      local text = in_full(ffi.string(at + from + 1, stop - from - 1))
      if not text then
        return nil
      end
      local kept = from + 1 - copied
      if written + kept + #text > out_size then
        out, out_size = grown(out, written, written + kept + #text)
      end
      ffi.copy(out + written, at + copied, kept)
      ffi.copy(out + written + kept, text, #text)
      written, copied = written + kept + #text, stop
    end
    column, from = column + 1, stop + 2
    if at[stop + 1] == LINE_FEED and column == columns then
      column, whole, whole_written, whole_copied = 0, from, written, copied
    elseif at[stop + 1] ~= COMMA or column == columns then
      return nil
    end
  end
  if is_last and whole < size then
    return nil
  end
  local kept = whole - whole_copied
  if whole_written + kept > out_size then
    out, out_size = grown(out, whole_written, whole_written + kept)
  end
  ffi.copy(out + whole_written, at + whole_copied, kept)
  return ffi.string(out, whole_written + kept), whole
end
