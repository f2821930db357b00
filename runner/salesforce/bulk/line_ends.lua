-- Counts the line feeds of a CSV that are not in quotes, eight bytes at a time.

local band, bor, bxor, bnot, rshift = bit.band, bit.bor, bit.bxor, bit.bnot, bit.rshift
local QUOTES, LINE_FEEDS = 0x2222222222222222ULL, 0x0a0a0a0a0a0a0a0aULL
local LOW_BITS, ONES = 0x7f7f7f7f7f7f7f7fULL, 0x0101010101010101ULL

-- The highest bit of each byte of a word in which it is like `bytes`.
local function marks(word, bytes)
  local differ = bxor(word, bytes)
  return bnot(bor(band(differ, LOW_BITS) + LOW_BITS, differ, LOW_BITS))
end

-- Whether an odd number of bytes is marked: 0 or 1.
local function parity(marked)
  return tonumber(band(rshift(rshift(marked, 7) * ONES, 56), 1ULL))
end

-- The marks before the first of them; bytes of a word begin with the lowest.
local function before_first(marked)
  return band(marked - 1, bnot(marked))
end

-- The other line ends of a word that has several, as paragraphs do.
local function count_others(ends, quotes, so_far, odd)
  local lines = 0
  ends = band(ends, ends - 1)
  while ends ~= 0 do
    lines = lines + 1 - bxor(odd, parity(bxor(so_far, band(quotes, before_first(ends)))))
    ends = band(ends, ends - 1)
  end
  return lines
end

local so_far = ffi.new("uint64_t[1]") -- in memory: LuaJIT would allocate it in each round

-- address, size: of the text. odd: 1 if it begins within quotes, else 0. Gives the line feeds outside, and the same of its end.
return function(address, size, odd)
  local bytes, words = bytes_at(address), ffi.cast(WORDS, bytes_at(address))
  local whole, lines = math.floor(size / 8), 0
  so_far[0] = 0
  for place = 0, whole - 1 do
    local word = words[place]
    local quotes, ends = marks(word, QUOTES), marks(word, LINE_FEEDS)
    if ends ~= 0 then
      lines = lines + 1 - bxor(odd, parity(bxor(so_far[0], band(quotes, before_first(ends)))))
      if band(ends, ends - 1) ~= 0 then
        lines = lines + count_others(ends, quotes, so_far[0], odd)
      end
    end
    so_far[0] = bxor(so_far[0], quotes)
  end
  odd = bxor(odd, parity(so_far[0]))
  for place = 8 * whole, size - 1 do
    if bytes[place] == QUOTE then
      odd = 1 - odd
    elseif bytes[place] == LINE_FEED then
      lines = lines + 1 - odd
    end
  end
  return lines, odd
end
