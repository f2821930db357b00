-- Looks for a value in quotes that is a number with an exponent, as Java prints it: "1.2345678E7".

local LETTER, DOT, MINUS = 69, 46, 45

local function is_digit(byte)
  return byte >= NOUGHT and byte <= NINE
end

-- Whether the letter at `at` is that of such a number. Before the text and after it, nothing is read.
local function is_exponent(bytes, at, size)
  local from = at - 1
  while from >= 0 and is_digit(bytes[from]) do
    from = from - 1
  end
  if from == at - 1 or from < 2 or bytes[from] ~= DOT or not is_digit(bytes[from - 1]) then
    return false
  end
  from = from - 2
  if bytes[from] == MINUS then
    from = from - 1
  end
  if from < 0 or bytes[from] ~= QUOTE then
    return false
  end
  local stop = bytes[at + 1] == MINUS and at + 2 or at + 1
  local digits = stop
  while stop < size and is_digit(bytes[stop]) do
    stop = stop + 1
  end
  return stop > digits and bytes[stop] == QUOTE
end

-- address, size: of the text, which a zero follows. Gives whether there is one.
return function(address, size)
  local bytes = bytes_at(address)
  local at = find(bytes, LETTER, 0, size)
  while at >= 0 do
    if is_exponent(bytes, at, size) then
      return true
    end
    at = find(bytes, LETTER, at + 1, size)
  end
  return false
end
