-- Turns records of CSV, of which every value is in quotes, into lines of JSON. Knows both forms.

local BACKSLASH, SPACE, MINUS, POINT, BRACE = 92, 32, 45, 46, 125
local BOOLEAN, NUMBER, JSON = 1, 2, 3 -- what a column's values are; 0 stands for text

-- The letter after a backslash that stands for a byte; 0: the byte stands for itself.
local letter_of = ffi.new("uint8_t[256]")
local letters = { ["\n"] = "n", ["\r"] = "r", ["\t"] = "t", ["\b"] = "b", ["\f"] = "f", ['"'] = '"', ["\\"] = "\\" }
for byte, letter in pairs(letters) do
  letter_of[byte:byte()] = letter:byte()
end

local band, bor, bxor, bnot = bit.band, bit.bor, bit.bxor, bit.bnot
local LOW_BITS = 0x7f7f7f7f7f7f7f7fULL
local LINE_FEEDS, BACKSLASHES = 0x0a0a0a0a0a0a0a0aULL, 0x5c5c5c5c5c5c5c5cULL
local NOT_CONTROL = 0xe0e0e0e0e0e0e0e0ULL

-- The highest bit of each byte of a word that is zero.
local function zeros(word)
  return bnot(bor(band(word, LOW_BITS) + LOW_BITS, word, LOW_BITS))
end

-- Whether no byte but quotes and line feeds is written otherwise in JSON.
local function is_simple(at, size)
  local words, whole = ffi.cast(WORDS, at), math.floor(size / 8)
  for place = 0, whole - 1 do
    local word = words[place]
    local controls = band(zeros(band(word, NOT_CONTROL)), bnot(zeros(bxor(word, LINE_FEEDS))))
    if bor(controls, zeros(bxor(word, BACKSLASHES))) ~= 0 then
      return false
    end
  end
  for place = 8 * whole, size - 1 do
    local byte = at[place]
    if (byte < SPACE and byte ~= LINE_FEED) or byte == BACKSLASH then
      return false
    end
  end
  return true
end

-- Where digits end.
local function end_of_digits(at, from)
  while at[from] >= NOUGHT and at[from] <= NINE do
    from = from + 1
  end
  return from
end

-- Whether a value is a number as JSON writes it. Something else than a digit follows it.
local function is_number(at, from, stop)
  if at[from] == MINUS then
    from = from + 1
  end
  local ended = at[from] == NOUGHT and from + 1 or end_of_digits(at, from)
  if ended == from then
    return false
  end
  if at[ended] == POINT then
    from = ended + 1
    ended = end_of_digits(at, from)
    if ended == from then
      return false
    end
  end
  if bor(at[ended], 32) == 101 then -- e or E
    from = ended + 1
    if at[from] == 43 or at[from] == MINUS then
      from = from + 1
    end
    ended = end_of_digits(at, from)
    if ended == from then
      return false
    end
  end
  return ended == stop
end

local TRUE, FALSE = ffi.new("uint8_t[4]", { 116, 114, 117, 101 }), ffi.new("uint8_t[5]", { 102, 97, 108, 115, 101 })

-- Whether a value is written as it is, without quotes.
local function is_bare(at, from, stop, kind)
  if kind == NUMBER then
    return is_number(at, from, stop)
  elseif kind == BOOLEAN then
    return (stop - from == 4 and C.memcmp(at + from, TRUE, 4) == 0)
      or (stop - from == 5 and C.memcmp(at + from, FALSE, 5) == 0)
  end
  return kind == JSON
end

-- Writes a value, in which a quote is two, as it is written in a text of JSON; `is_raw`: as it is, with single quotes.
-- Gives where it ends in the output; nil if it has a byte that is left to others.
local function write_value(at, from, stop, out, size, is_raw)
  while from < stop do
    local byte = at[from]
    if byte == QUOTE then
      from = from + 1
    end
    local letter = is_raw and 0 or letter_of[byte]
    if letter ~= 0 then
      out[size] = BACKSLASH
      out[size + 1] = letter
      size = size + 2
    elseif byte < SPACE then
      return nil
    else
      out[size] = byte
      size = size + 1
    end
    from = from + 1
  end
  return size
end

local out_size = 1024
local out = BUFFER(out_size)

-- names: what comes before the values of each record, one after another, as `{"Id":` and `,"Name":`; ends: where each of
-- them ends; kinds: of each column; both as numbers of four bytes.
--
-- Gives a function that takes where what comes next of the records is, and its size. It gives the lines, and where the last whole record ends; nil if there is something that is left to others.
return function(names, ends, kinds)
  local columns = #ends / 4

  return function(address, content_size)
    -- A pointer does not keep its string: these strings are named here, so they stay.
    local names_at = ffi.cast(BYTES, names)
    local ends_at, kinds_at = ffi.cast("const uint32_t *", ends), ffi.cast("const uint32_t *", kinds)
    local at = bytes_at(address)
    local simple = is_simple(at, content_size)
    local from, size, column, used, used_size = 0, 0, 0, 0, 0
    local line_end = -1
    while from < content_size do
      if at[from] ~= QUOTE then
        return nil
      end
      from = from + 1
      local stop, has_quotes = end_of_value(at, from, content_size)
      if stop < 0 or stop + 1 >= content_size then
        break
      end
      if line_end < from then
        line_end = find(at, LINE_FEED, from, content_size)
        if line_end < 0 then
          line_end = content_size
        end
      end
      local name_from = column == 0 and 0 or ends_at[column - 1]
      local name_size = ends_at[column] - name_from
      local needed = size + name_size + 2 * (stop - from) + 8
      if needed > out_size then
        out, out_size = grown(out, size, needed)
      end
      ffi.copy(out + size, names_at + name_from, name_size)
      size = size + name_size
      local kind = kinds_at[column]
      if stop == from then
        ffi.copy(out + size, "null", 4)
        size = size + 4
      elseif kind ~= 0 and is_bare(at, from, stop, kind) then
        if kind == JSON then
          size = write_value(at, from, stop, out, size, true)
          if not size then
            return nil
          end
        else
          ffi.copy(out + size, at + from, stop - from)
          size = size + stop - from
        end
      else
        out[size] = QUOTE
        size = size + 1
        if simple and not has_quotes and line_end > stop then
          ffi.copy(out + size, at + from, stop - from)
          size = size + stop - from
        else
          size = write_value(at, from, stop, out, size, false)
          if not size then
            return nil
          end
        end
        out[size] = QUOTE
        size = size + 1
      end
      local byte = at[stop + 1]
      from = stop + 2
      column = column + 1
      if byte == LINE_FEED and column == columns then
        out[size] = BRACE
        out[size + 1] = LINE_FEED
        size = size + 2
        column = 0
        used, used_size = from, size
      elseif byte ~= COMMA or column == columns then
        return nil
      end
    end
    return ffi.string(out, used_size), used
  end
end
