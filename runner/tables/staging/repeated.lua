-- Finds a hash that occurs twice, or divides hashes so that equal ones come together.

local HASHES = ffi.typeof("const uint64_t *")
local TABLE = ffi.typeof("uint64_t[?]")
local NUMBERS = ffi.typeof("uint32_t[?]")

-- Used again: the collector would leave as much in memory as was made anew.
local buffers, buffer_size = TABLE(2), 2

-- Room for so many numbers, all 0.
local function room(count)
  if buffer_size < count then
    buffers, buffer_size = TABLE(count), count
  end
  ffi.fill(buffers, 8 * count)
  return buffers
end

-- Whether a hash is there twice.
local function has_repeated(hashes, count)
  local slots = 2
  while slots < 2 * count do
    slots = 2 * slots
  end
  local seen, last = room(slots), slots - 1
  for place = 0, count - 1 do
    local hash = hashes[place]
    if hash == 0 then -- what an empty slot holds
      hash = 1ULL
    end
    local slot = tonumber(bit.band(hash, last))
    while seen[slot] ~= 0 do
      if seen[slot] == hash then
        return true
      end
      slot = bit.band(slot + 1, last)
    end
    seen[slot] = hash
  end
  return false
end

-- The hashes of each turn, one turn after the other, and how many bytes each has, as 32-bit numbers.
local function divided(hashes, count, turns)
  local bytes, starts = NUMBERS(turns), NUMBERS(turns)
  for place = 0, count - 1 do
    local turn = tonumber(bit.rshift(hashes[place], 32)) % turns
    bytes[turn] = bytes[turn] + 8
  end
  for turn = 1, turns - 1 do
    starts[turn] = starts[turn - 1] + bytes[turn - 1] / 8
  end
  local found = room(count)
  for place = 0, count - 1 do
    local turn = tonumber(bit.rshift(hashes[place], 32)) % turns
    found[starts[turn]] = hashes[place]
    starts[turn] = starts[turn] + 1
  end
  return ffi.string(found, 8 * count), ffi.string(bytes, 4 * turns)
end

-- address, count: of hashes of 8 bytes. turns: 1 to look for one that is there twice, more to divide them.
return function(address, count, turns)
  local hashes = ffi.cast(HASHES, bytes_at(address))
  if turns == 1 then
    return has_repeated(hashes, count)
  end
  return divided(hashes, count, turns)
end
