-- Looks whether cells of plain CSV are sent as they are read: byte for byte what DuckDB would write of
-- their values, which are texts that nothing changes, and canonical texts of their kinds. Cuts out the other cells.

local FIRST_SHOWN = 33 -- a text that starts with `!` or a later byte is neither blank nor trimmed
local TEXT, WORD, STEPS, OTHER, READ, UNUSED = 84, 87, 83, 79, 82, 85 -- `T`, `W`, `S`, `O`, `R` and `U`
local ID = 88 -- `X`
local GOES_ON = 65535
-- What marks of a column ask of its values, in bits.
local FILLED, TRIMMED, KEY, FOLDED, PREFIXED = 1, 2, 4, 8, 16
local ID_SIGNS, PREFIX_SIGNS = 15, 3 -- an Id of 18 is one of 15 and what checks it

local TRUE, FALSE = "true,", "false,"
local LONGEST_WORD = 8
local sent_as = { [""] = "," }

-- What is sent for words that mean yes or no; each has a comma at its end.
local function learn(words, sent)
  for word in words:gmatch("([^,]*),") do
    sent_as[word] = sent
  end
end

local HIGH_BITS = 0x8080808080808080ULL
local SPACE = 32

-- Whether all bytes are ASCII, looking at eight at a time.
local function is_ascii(at, from, stop, size)
  while stop - from >= 8 do
    if bit.band(ffi.cast(WORDS, at + from)[0], HIGH_BITS) ~= 0 then
      return false
    end
    from = from + 8
  end
  if from + 8 <= size then
    -- Zeros for what comes after the last of them.
    return from == stop or bit.lshift(bit.band(ffi.cast(WORDS, at + from)[0], HIGH_BITS), 64 - 8 * (stop - from)) == 0
  end
  for place = from, stop - 1 do
    if at[place] >= 128 then
      return false
    end
  end
  return true
end

-- A text without spaces around it; nil if there may be other spaces, of Unicode.
local function trimmed(at, from, stop)
  while from < stop and at[from] == SPACE do
    from = from + 1
  end
  while from < stop and at[stop - 1] == SPACE do
    stop = stop - 1
  end
  local byte = at[from]
  if from < stop and (byte == 0xC2 or (byte >= 0xE1 and byte <= 0xE3)) then
    return nil
  end
  if from < stop and at[stop - 1] >= 128 then
    if at[stop - 2] == 0xC2 or (stop - from > 2 and at[stop - 3] >= 0xE1 and at[stop - 3] <= 0xE3) then
      return nil
    end
  end
  return from, stop
end

local HASHES = ffi.typeof("uint64_t[?]")
local MIX, LOWER, AS_IT_IS = 0x9E3779B97F4A7C15ULL, 0x2020202020202020ULL, 0ULL
local hash_size = 1024
local hashes = HASHES(hash_size)

local function mix(row, word)
  local hash = bit.bxor(hashes[row], word) * MIX
  hashes[row] = bit.bxor(hash, bit.rshift(hash, 29))
end

-- Writes the hash of a row's key. If it is folded, keys that differ in the case of ASCII's letters have the same one.
local function hash_key(at, from, stop, size, fold, row)
  hashes[row] = stop - from
  while stop - from >= 8 do
    mix(row, bit.bor(ffi.cast(WORDS, at + from)[0], fold))
    from = from + 8
  end
  if from < stop and from + 8 <= size then
    mix(row, bit.bor(bit.lshift(ffi.cast(WORDS, at + from)[0], 64 - 8 * (stop - from)), fold))
  elseif from < stop then
    local word = 0ULL
    for place = from, stop - 1 do
      word = bit.bor(bit.rshift(word, 8), bit.lshift(ffi.cast("uint64_t", at[place]), 56))
    end
    mix(row, bit.bor(word, fold))
  end
  mix(row, AS_IT_IS)
end

-- Whether a value is as the marks of its column ask; if it is a key, its hash is written.
local function is_as_marked(at, from, stop, size, marks, kind, prefix, row)
  if from == stop then
    return bit.band(marks, FILLED + KEY) == 0
  end
  if at[from] == HASH and stop == from + 4 and bit.band(marks, FILLED) ~= 0 then
    return false -- #N/A
  end
  if bit.band(marks, TRIMMED) ~= 0 and at[stop - 1] < FIRST_SHOWN then
    return false
  end
  if bit.band(marks, PREFIXED) ~= 0 and C.memcmp(at + from, prefix, PREFIX_SIGNS) ~= 0 then
    return false
  end
  if bit.band(marks, KEY) ~= 0 then
    if kind == ID then
      if stop - from < ID_SIGNS then
        return false
      end
      stop = from + ID_SIGNS
    elseif bit.band(marks, FOLDED) ~= 0 then
      if not is_ascii(at, from, stop, size) then
        return false
      end
      hash_key(at, from, stop, size, LOWER, row)
      return true
    end
    hash_key(at, from, stop, size, AS_IT_IS, row)
  end
  return true
end

local steps_of, learned_kinds, learned_steps = {}, "", ""

-- kinds: as below. steps: of each column that has some: `@` and what is done (1 trims, 2 lower case, 4 upper case,
-- 8 always in quotes), and what comes before and after the value, each with U+0000 at its end.
local function learn_steps(kinds, steps)
  if kinds == learned_kinds and steps == learned_steps then
    return
  end
  local column = 0
  for done, before, after in steps:gmatch("(.)([^%z]*)%z([^%z]*)%z") do
    column = kinds:find("S", column + 1, true)
    local bits = done:byte() - 64
    steps_of[column - 1] = {
      trims = bit.band(bits, 1) ~= 0,
      lowers = bit.band(bits, 2) ~= 0,
      changes_case = bit.band(bits, 6) ~= 0,
      quotes = bit.band(bits, 8) ~= 0,
      before = before,
      after = after,
    }
  end
  learned_kinds, learned_steps = kinds, steps
end

local out_size, sent_size = 1024, 1024
local out, sent = BUFFER(out_size), BUFFER(sent_size)

-- Writes what the steps make of a value that is not blank; gives where it ends, or nil if that is to be looked at closer.
local function write_steps(at, from, stop, size, step, quotes, most, value_size, used)
  local first, last = from, stop
  if step.trims then
    first, last = trimmed(at, from, stop)
    if not first then
      return nil
    end
  end
  local left = last - first
  if value_size - (stop - from - left) > most then
    return nil
  end
  local before, after = step.before, step.after
  if #before == 0 then
    if left == 0 then
      if #after == 0 then
        return used
      end
      return nil
    elseif at[first] < FIRST_SHOWN then
      return nil
    end
  end
  if quotes then
    sent[used] = QUOTE
    used = used + 1
  end
  ffi.copy(sent + used, before, #before)
  used = used + #before
  if not step.changes_case then
    ffi.copy(sent + used, at + first, left)
  elseif is_ascii(at, first, last, size) then
    local text = ffi.string(at + first, left)
    text = step.lowers and text:lower() or text:upper()
    ffi.copy(sent + used, text, left)
  else
    return nil
  end
  used = used + left
  ffi.copy(sent + used, after, #after)
  used = used + #after
  if quotes then
    sent[used] = QUOTE
    used = used + 1
  end
  return used
end

-- address, size: of whole records. enough: bytes after which to stop at the next record.
-- has_hash: whether there may be a `#`. kinds: a letter for each column. Cells that are sent as they are read are Text, Boolean,
-- Integer, Number, Date, M for a datetime, C for a time, or Other, of which bytes do not tell; cells that are not
-- are Words that mean yes or no, texts of which Steps make others, Read or Unused. longest: bytes that each text may have, as 32-bit numbers. longest_record: bytes.
-- first: how many computed cells come before the first sent as it is read. after: how many come after the cell of
-- each column, as 16-bit numbers; GOES_ON where none do, and cell and comma are sent with the next column's.
-- places: `\0,` as often as there are computed cells. yes, no: small words, each with a comma.
-- steps: as `learn_steps` takes them. marks: of each column, a byte. prefixes: how Ids of each column begin.
--
-- Gives the number of records, the cells that are Other or Read as CSV, the rows to send, with `\0` where a cell is
-- to be computed (nothing if no cell ends a run), the hashes of keys (nothing if no column is marked as one), and where
-- it stopped; nil if one has to be looked at closer; if that is because of
-- its steps, false and the column.
return function(
  address, size, enough, has_hash,
  kinds, longest, longest_record, first, after, places, yes, no, steps, marks, prefixes
)
  local at, columns = bytes_at(address), #kinds
  local kind_of, most = ffi.cast(BYTES, kinds), ffi.cast("const uint32_t *", longest)
  local after_of, marks_of = ffi.cast("const uint16_t *", after), ffi.cast(BYTES, marks)
  local prefix_of = ffi.cast(BYTES, prefixes)
  learn(yes, TRUE)
  learn(no, FALSE)
  learn_steps(kinds, steps)
  local from, rows, length, used = 0, 0, 0, 0
  local column, began, stop, has_quotes, is_shown, run = 0, 0, 0, false, false, 0
  local has_key = false
  for place = 0, columns - 1 do
    has_key = has_key or bit.band(marks_of[place], KEY) ~= 0
  end
  -- A record has a byte for each column at least, and a word may become longer: `0` is `false`.
  local most_rows = math.min(enough, size) / columns + 2
  if hash_size < most_rows then
    hash_size = 2 * most_rows
    hashes = HASHES(hash_size)
  end
  local most_sent = 3 * size + most_rows * (#places + 2 * columns + #steps)
  if sent_size < most_sent and after:find("[^\255]") then
    sent, sent_size = grown(sent, 0, most_sent)
  end
  -- One loop over all cells: LuaJIT compiles no loop around other loops well.
  while from < size do
    if column == 0 then
      if from >= enough then
        break
      end
      stop = find(at, LINE_FEED, from, size)
      if stop < 0 then
        return nil
      end
      has_quotes = find(at, QUOTE, from, stop) >= 0
      began, run, is_shown = from, from, false
      if first > 0 then
        ffi.copy(sent + used, places, 2 * first)
        used = used + 2 * first
      end
    end
    local kind = kind_of[column]
    local is_sent = kind ~= READ and kind ~= UNUSED and kind ~= WORD and kind ~= STEPS
    local ends, value_size
    local needs, inset = false, 0
    if has_quotes and at[from] == QUOTE then
      inset = 1
      ends, value_size, needs = end_of_quoted(at, from, size, has_hash)
      if not ends then
        return nil
      end
      local starts_shown = at[from + 1] >= FIRST_SHOWN
      if is_sent and not (needs and starts_shown and (kind == TEXT or kind == OTHER)) then
        return nil
      end
      is_shown = is_shown or (value_size > 0 and starts_shown)
      if ends > stop then
        stop = find(at, LINE_FEED, ends, size)
        if stop < 0 then
          return nil
        end
      end
    else
      ends = find(at, COMMA, from, stop)
      if ends < 0 then
        ends = stop
      end
      value_size = ends - from
      if value_size > 0 then
        if at[from] >= FIRST_SHOWN then
          is_shown = true
        elseif is_sent then
          return nil
        end
      end
      if has_quotes and find(at, QUOTE, from, ends) >= 0 then
        return nil
      end
      if has_hash and is_sent and find(at, HASH, from, ends) >= 0 then
        return nil
      end
    end
    local marked = marks_of[column]
    if marked ~= 0 then
      local first_sign, last_sign = from + inset, ends - inset
      if value_size ~= last_sign - first_sign then
        return nil
      end
      if not is_as_marked(at, first_sign, last_sign, size, marked, kind, prefix_of + PREFIX_SIGNS * column, rows) then
        return nil
      end
    end
    if kind == TEXT then
      if value_size > most[column] then
        return nil
      end
    elseif kind == OTHER or kind == READ then
      local needed = length + ends + 1 - from
      if needed > out_size then
        out, out_size = grown(out, length, needed)
      end
      ffi.copy(out + length, at + from, ends - from)
      length = length + ends + 1 - from
      out[length - 1] = COMMA
    elseif kind == WORD then
      if value_size > LONGEST_WORD then
        return nil
      end
      local word = ffi.string(at + from, value_size)
      word = sent_as[word] or sent_as[word:lower()]
      if not word then
        return nil
      end
      ffi.copy(sent + used, word, #word)
      used = used + #word
    elseif kind == STEPS then
      if value_size > 0 then
        local step = steps_of[column]
        local quotes = needs or step.quotes or (has_hash and find(at, HASH, from, ends) >= 0)
        used = write_steps(at, from + inset, ends - inset, size, step, quotes, most[column], value_size, used)
        if not used then
          return false, column
        end
      end
      sent[used] = COMMA
      used = used + 1
    elseif kind ~= UNUSED and value_size > 0 and not is_canonical(kind, at, from, ends) then
      return nil
    end
    local computed = after_of[column]
    if computed ~= GOES_ON then
      if is_sent then
        ffi.copy(sent + used, at + run, ends - run)
        used = used + ends + 1 - run
        sent[used - 1] = COMMA
      end
      if computed > 0 then
        ffi.copy(sent + used, places, 2 * computed)
        used = used + 2 * computed
      end
      run = ends + 1
    end
    column = column + 1
    if column < columns then
      if ends >= stop or at[ends] ~= COMMA then
        return nil
      end
    else
      if ends ~= stop or not is_shown or ends - began > longest_record then
        return nil
      end
      column = 0
      rows = rows + 1
      if length > 0 then
        out[length - 1] = LINE_FEED
      end
      if used > 0 then
        sent[used - 1] = LINE_FEED
      end
    end
    from = ends + 1
  end
  if column ~= 0 then
    return nil
  end
  local hashed = has_key and 8 * rows or 0
  return rows, ffi.string(out, length), ffi.string(sent, used), ffi.string(hashes, hashed), from
end
