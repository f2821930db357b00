-- Puts computed cells into rows to send. Knows plain CSV.

local out_size = 1024
local out = BUFFER(out_size)

-- rows: to send, with `\0` where a cell is to come. computed: plain CSV of these cells, or its beginning. columns: how
-- many it has.
--
-- Gives the rows with their cells, and how many bytes of these were used; nil if there are too few.
return function(rows, computed, columns)
  local rows_at, rows_size = ffi.cast(BYTES, rows), #rows
  local at, size = ffi.cast(BYTES, computed), #computed
  if out_size < rows_size + size then
    out, out_size = grown(out, 0, rows_size + size)
  end
  local row, from, length, column = 0, 0, 0, 1
  while row < rows_size do
    local place = find(rows_at, 0, row, rows_size)
    if place < 0 then
      ffi.copy(out + length, rows_at + row, rows_size - row)
      length = length + rows_size - row
      break
    end
    ffi.copy(out + length, rows_at + row, place - row)
    length = length + place - row
    row = place + 1
    if from >= size then
      return nil
    end
    local ends
    if at[from] == QUOTE then
      ends = end_of_quoted(at, from, size) or size
    else
      ends = find(at, column < columns and COMMA or LINE_FEED, from, size)
    end
    if ends < 0 or ends >= size then
      return nil
    end
    ffi.copy(out + length, at + from, ends - from)
    length = length + ends - from
    from = ends + 1
    column = column < columns and column + 1 or 1
  end
  return ffi.string(out, length), from
end
