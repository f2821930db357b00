-- Counts the line feeds and the commas of a CSV that are not in quotes, eight bytes at a time.

local band, bor, bxor, bnot = bit.band, bit.bor, bit.bxor, bit.bnot
local lshift, rshift, arshift = bit.lshift, bit.rshift, bit.arshift
local QUOTES, LINE_FEEDS, COMMAS = 0x2222222222222222ULL, 0x0a0a0a0a0a0a0a0aULL, 0x2c2c2c2c2c2c2c2cULL
local LOW_BITS, HIGH_BITS = 0x7f7f7f7f7f7f7f7fULL, 0x8080808080808080ULL
local EVERY_SECOND, SUM = 0x00ff00ff00ff00ffULL, 0x0001000100010001ULL
local MOST_WORDS = 255 -- for which a byte can count

-- The sum of the bytes of a word.
local function sum(counts)
  return tonumber(rshift((band(counts, EVERY_SECOND) + band(rshift(counts, 8), EVERY_SECOND)) * SUM, 48))
end

-- In memory: LuaJIT would allocate them in each round.
local counts = ffi.new("uint64_t[2]") -- line feeds and commas, of each place in a word
local inside = ffi.new("uint64_t[1]") -- all high bits within quotes, else none

-- address, size: of the text. odd: 1 if it begins within quotes, else 0. Gives the line feeds outside, the same as `odd` of its end, and the commas outside.
return function(address, size, odd)
  local bytes, words = bytes_at(address), ffi.cast(WORDS, bytes_at(address))
  local whole, lines, commas, first = math.floor(size / 8), 0, 0, 0
  inside[0] = odd * HIGH_BITS
  while first < whole do
    local stop = math.min(first + MOST_WORDS, whole)
    counts[0], counts[1] = 0, 0
    for place = first, stop - 1 do
      local word = words[place]
      local low, within = band(word, LOW_BITS), inside[0]
      -- The highest bit of each byte that is a quote: all others have that bit themselves or after the sum.
      local quotes = band(bnot(bor(bxor(low, QUOTES) + LOW_BITS, word)), HIGH_BITS)
      -- Marks each byte up to which there is an odd number of quotes; a word begins with its lowest byte. There is no
      -- branch: whether a word has a quote cannot be foreseen.
      quotes = bxor(quotes, lshift(quotes, 8))
      quotes = bxor(quotes, lshift(quotes, 16))
      within = bxor(within, quotes, lshift(quotes, 32))
      inside[0] = band(arshift(within, 63), HIGH_BITS)
      local outside = bxor(within, HIGH_BITS)
      counts[0] = counts[0] + rshift(band(bnot(bor(bxor(low, LINE_FEEDS) + LOW_BITS, word)), outside), 7)
      counts[1] = counts[1] + rshift(band(bnot(bor(bxor(low, COMMAS) + LOW_BITS, word)), outside), 7)
    end
    lines, commas = lines + sum(counts[0]), commas + sum(counts[1])
    first = stop
  end
  odd = inside[0] == 0 and 0 or 1
  for place = 8 * whole, size - 1 do
    if bytes[place] == QUOTE then
      odd = 1 - odd
    elseif bytes[place] == LINE_FEED then
      lines = lines + 1 - odd
    elseif bytes[place] == COMMA then
      commas = commas + 1 - odd
    end
  end
  return lines, odd, commas
end
