-- What every compiled function has before its own file: bytes of strings, and C's functions for them.

local ffi = require("ffi")
ffi.cdef([[
void *memchr(const void *bytes, int byte, size_t size);
int memcmp(const void *one, const void *other, size_t size);
]])
local C = ffi.C
local BYTES, WORDS = ffi.typeof("const uint8_t *"), ffi.typeof("const uint64_t *")
local BUFFER = ffi.typeof("uint8_t[?]")
local LINE_FEED, QUOTE, HASH, COMMA, NOUGHT, NINE = 10, 34, 35, 44, 48, 57

-- The bytes at an address, as Python gives it.
local function bytes_at(address)
  return ffi.cast(BYTES, ffi.cast("uintptr_t", address))
end

-- Where a byte is, from one place up to another, which is not before; -1 if it is not there.
local function find(at, byte, from, stop)
  local found = C.memchr(at + from, byte, stop - from)
  if found == nil then
    return -1
  end
  return ffi.cast(BYTES, found) - at
end

-- Where a value in quotes ends, whose first byte is given, and whether it has quotes, which are doubled; -1 if it does not end.
local function end_of_value(at, from, size)
  local stop, has_quotes = find(at, QUOTE, from, size), false
  while stop >= 0 and at[stop + 1] == QUOTE do
    has_quotes = true
    stop = find(at, QUOTE, stop + 2, size)
  end
  return stop, has_quotes
end

-- A longer buffer with the same first bytes, and its size.
local function grown(buffer, used, needed)
  local longer = BUFFER(2 * needed)
  ffi.copy(longer, buffer, used)
  return longer, 2 * needed
end

-- Where a value in quotes ends, after its last quote, its length, and whether it needs them; nil if it never ends.
local function end_of_quoted(at, from, size, needs_for_hash)
  local needs, pairs = false, 0
  local place = from + 1
  while place < size do
    local byte = at[place]
    if byte == QUOTE then
      if at[place + 1] ~= QUOTE then
        return place + 1, place - from - 1 - pairs, needs
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
