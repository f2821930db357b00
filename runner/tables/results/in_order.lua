-- Compares records that were sent with results in the same order. Knows the form of both: plain
-- CSV, and the same with every value in quotes, after an Id and `true` or `false`.

local LONGEST_OWN = 64 -- bytes of `"Id","false"`, and more

local is_of_id = ffi.new("bool[256]")
for byte = 0, 255 do
  is_of_id[byte] = string.char(byte):find("[0-9A-Za-z]") ~= nil
end

-- Compares a value in quotes, from the quote, with what is in the quotes of the other: where the
-- first one ends and the other's last quote is; nil if they differ, and where in the other and in the first one. Strings
-- end with a zero that neither has within: no comparison goes further.
local function compare_quoted(sent, from, result, at)
  from = from + 1
  while true do
    local byte = sent[from]
    if byte == QUOTE then
      if sent[from + 1] ~= QUOTE then
        return from + 1, at
      end
      if result[at] ~= QUOTE then
        return nil, at, from
      end
      from, at = from + 1, at + 1
    end
    if byte ~= result[at] or byte == 0 then
      return nil, at, from
    end
    from, at = from + 1, at + 1
  end
end

-- Compares the record at `from` with `,"a","b"` at `at`: where both end; nil if they differ, about
-- where, and whether the record has no end.
local function compare(sent, from, sent_size, result, at, result_size)
  local stop = find(sent, LINE_FEED, from, sent_size)
  if stop < 0 then
    return nil, at, true
  end
  while true do
    if result[at] ~= COMMA or result[at + 1] ~= QUOTE then
      return nil, at
    end
    at = at + 2
    if sent[from] == QUOTE then
      local differs
      from, at, differs = compare_quoted(sent, from, result, at)
      if not from then
        return nil, at, differs >= sent_size
      end
      if from > stop then
        stop = find(sent, LINE_FEED, from, sent_size)
        if stop < 0 then
          return nil, at, true
        end
      end
    else
      local ends = find(sent, COMMA, from, stop)
      if ends < 0 then
        ends = stop
      end
      local size = ends - from
      if at + size >= result_size then
        return nil, result_size
      end
      if C.memcmp(sent + from, result + at, size) ~= 0 then
        return nil, at
      end
      from, at = ends, at + size
    end
    if result[at] ~= QUOTE then
      return nil, at
    end
    at = at + 1
    if from == stop then
      if result[at] ~= LINE_FEED then
        return nil, at
      end
      return from + 1, at + 1
    end
    if sent[from] ~= COMMA then
      return nil, at
    end
    from = from + 1
  end
end

-- The length of an Id at `at`, and whether `true` follows; nil if something else is there.
local function own_values(result, at)
  local stop = at
  while is_of_id[result[stop]] do
    stop = stop + 1
  end
  if stop == at or result[stop] ~= QUOTE or result[stop + 1] ~= COMMA or result[stop + 2] ~= QUOTE then
    return nil
  end
  local word = result + stop + 3
  if word[0] == 116 and word[1] == 114 and word[2] == 117 and word[3] == 101 and word[4] == QUOTE then
    return stop - at, true
  end
  if
    word[0] == 102
    and word[1] == 97
    and word[2] == 108
    and word[3] == 115
    and word[4] == 101
    and word[5] == QUOTE
  then
    return stop - at, false
  end
end

local out_size = 1024
local out = BUFFER(out_size)
local place = ffi.new("uint32_t[1]")

-- sent, sent_size, sent_is_last: where what comes next of the records that were sent is, and whether nothing follows it.
-- result, result_size, is_last: the same of the results. others, others_size: what did not succeed, in order, each as
-- `,"a","b"` and a line feed; `other`: where the next is. A zero follows each of the three.
--
-- Gives nil if they do not fit; else `Id,true` of each that succeeded, the places of the others as
-- 32-bit numbers, and how far it came: in sent, in result, in others, and in records. It ends before a record of which
-- either has only the beginning.
return function(sent, sent_size, sent_is_last, result, result_size, is_last, others, others_size, other)
  local sent_at, result_at, others_at = bytes_at(sent), bytes_at(result), bytes_at(others)
  local from, at, size, records = 0, 0, 0, 0
  local places = {}
  while from < sent_size do
    local following, ended, is_short
    if other < others_size then
      following, ended, is_short = compare(sent_at, from, sent_size, others_at, other, others_size)
    end
    if is_short then
      if sent_is_last then
        return nil
      end
      break
    elseif following then
      other = ended
      place[0] = records
      places[#places + 1] = ffi.string(place, 4)
    else
      if not is_last and result_size - at < LONGEST_OWN then
        break
      end
      if result_at[at] ~= QUOTE then
        return nil
      end
      local length, is_created = own_values(result_at, at + 1)
      if not length then
        return nil
      end
      local result_from = at + length + (is_created and 9 or 10)
      following, ended, is_short = compare(sent_at, from, sent_size, result_at, result_from, result_size)
      if not following then
        if (is_short and not sent_is_last) or (not is_short and not is_last and ended + 2 >= result_size) then
          break
        end
        return nil
      end
      if size + length + 8 > out_size then
        out, out_size = grown(out, size, size + length + 8)
      end
      ffi.copy(out + size, result_at + at + 1, length)
      size = size + length
      if is_created then
        ffi.copy(out + size, ",true\n", 6)
        size = size + 6
      else
        ffi.copy(out + size, ",false\n", 7)
        size = size + 7
      end
      at = ended
    end
    from = following
    records = records + 1
  end
  return ffi.string(out, size), table.concat(places), from, at, other, records
end
