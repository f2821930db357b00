-- Turns records of CSV, of which every value is in quotes, into columns of Arrow. Knows both forms.

local MINUS, POINT = 45, 46
local TEXT, INTEGER, BOOLEAN, DECIMAL, DATE, TIME, DATETIME = 0, 1, 2, 3, 4, 5, 6 -- what a column's values are
local DIGITS_OF_DOUBLE, DIGITS_OF_LONG = 15, 18 -- with so many, all numbers can be told apart

local band, bor, bnot, lshift, rshift = bit.band, bit.bor, bit.bnot, bit.lshift, bit.rshift
local INT32, INT64, BYTE_ARRAY = ffi.typeof("int32_t *"), ffi.typeof("int64_t *"), ffi.typeof("uint8_t *")
local INT32_BUFFER, INT64_BUFFER = ffi.typeof("int32_t[?]"), ffi.typeof("int64_t[?]")

local power_of_ten = INT64_BUFFER(DIGITS_OF_LONG + 1)
for power = 0, DIGITS_OF_LONG do
  power_of_ten[power] = 10 ^ power
end

local days_before = ffi.new("int32_t[13]", { 0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 })
local days_in = ffi.new("int32_t[13]", { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 })

-- Whether so many bytes are digits, and the number they are.
local function digits(at, from, count)
  local number = 0
  for place = from, from + count - 1 do
    local digit = at[place] - NOUGHT
    if digit < 0 or digit > 9 then
      return nil
    end
    number = 10 * number + digit
  end
  return number
end

-- The days from 1970 to a date as `2026-01-31`; nil if it is none.
local function days_of(at, from)
  local year, month, day = digits(at, from, 4), digits(at, from + 5, 2), digits(at, from + 8, 2)
  if not (year and month and day) or at[from + 4] ~= MINUS or at[from + 7] ~= MINUS then
    return nil
  elseif year < 1 or month < 1 or month > 12 or day < 1 then
    return nil
  end
  local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  if day > days_in[month] + (is_leap and month == 2 and 1 or 0) then
    return nil
  end
  local before = year - 1
  local leap_days = math.floor(before / 4) - math.floor(before / 100) + math.floor(before / 400)
  return 365 * before + leap_days + days_before[month] + (is_leap and month > 2 and 1 or 0) + day - 719163
end

-- The milliseconds of a time as `12:30:00.000`; nil if it is none.
local function milliseconds_of(at, from)
  local hour, minute, second = digits(at, from, 2), digits(at, from + 3, 2), digits(at, from + 6, 2)
  local thousandths = digits(at, from + 9, 3)
  if not (hour and minute and second and thousandths) or at[from + 2] ~= 58 or at[from + 5] ~= 58 then
    return nil
  elseif hour > 23 or minute > 59 or second > 59 or at[from + 8] ~= POINT then
    return nil
  end
  return ((hour * 60 + minute) * 60 + second) * 1000 + thousandths
end

-- Whether a time's zone, up to the end of the value, is that of Greenwich.
local function is_utc(at, from, stop)
  if stop - from == 1 then
    return at[from] == 90 -- Z
  end
  return stop - from == 5 and at[from] == 43 and digits(at, from + 1, 4) == 0 -- +0000
end

-- A number as its digits before and after the point together, how many are after it, and where they end; nil if it has more
-- digits than a double holds.
local function digits_of(at, from, stop)
  local number, place, point = 0, from, stop
  while place < stop do
    local byte = at[place]
    if byte >= NOUGHT and byte <= NINE then
      number = 10 * number + (byte - NOUGHT)
    elseif byte == POINT and point == stop and place > from then
      point = place
    else
      break
    end
    place = place + 1
  end
  if place - from > DIGITS_OF_DOUBLE or place == from or place == point + 1 then
    return nil
  end
  return number, math.max(0, place - point - 1), place
end

-- The power of ten in `E7` or `E-7`; nil if it is none.
local function exponent_of(at, from, stop)
  local sign = 1
  if at[from] ~= 69 then
    return nil
  elseif at[from + 1] == MINUS then
    sign, from = -1, from + 1
  end
  local power = stop - from == 2 and digits(at, from + 1, 1) or stop - from == 3 and digits(at, from + 1, 2)
  return power and sign * power
end

-- A number times a power of ten, as 64 bits; nil if more digits follow or it has too many, or if it is not written as the
-- org does.
local function decimal_of(at, from, stop, precision, scale)
  local is_negative = at[from] == MINUS
  local digits_together, decimals, ended = digits_of(at, is_negative and from + 1 or from, stop)
  if not digits_together then
    return nil
  end
  local shift = scale - decimals
  if ended < stop then
    local exponent = exponent_of(at, ended, stop)
    if not exponent then
      return nil
    end
    shift = shift + exponent
  end
  local number = ffi.cast("int64_t", digits_together)
  local most = math.min(precision, DIGITS_OF_LONG)
  if shift < -DIGITS_OF_LONG or shift > most then
    return nil
  elseif shift < 0 then
    if number % power_of_ten[-shift] ~= 0LL then
      return nil
    end
    number = number / power_of_ten[-shift]
  elseif number < power_of_ten[most - shift] then
    number = number * power_of_ten[shift]
  else
    return nil
  end
  if number >= power_of_ten[most] then
    return nil
  end
  return is_negative and -number or number
end

local NOT_ASCII = 0x8080808080808080ULL -- the highest bit of each byte

-- How many bytes the character at a place has; nil if it is not UTF-8. A byte that is none follows the last.
local function character_size(at, place)
  local byte, next_byte = at[place], at[place + 1]
  local size, least, most = 2, 0x80, 0xbf
  if byte >= 0xe0 and byte < 0xf0 then
    size = 3
    least, most = byte == 0xe0 and 0xa0 or least, byte == 0xed and 0x9f or most
  elseif byte >= 0xf0 and byte < 0xf5 then
    size = 4
    least, most = byte == 0xf0 and 0x90 or least, byte == 0xf4 and 0x8f or most
  elseif byte < 0xc2 or byte >= 0xf5 then
    return nil
  end
  if next_byte < least or next_byte > most then
    return nil
  end
  for more = place + 2, place + size - 1 do
    if band(at[more], 0xc0) ~= 0x80 then
      return nil
    end
  end
  return size
end

-- Whether bytes are UTF-8.
local function is_utf8(at, size)
  local place = 0
  while place < size do
    local words, word, last = ffi.cast(WORDS, at + place), 0, math.floor((size - place) / 8)
    while word < last and band(words[word], NOT_ASCII) == 0 do
      word = word + 1
    end
    place = place + 8 * word
    local stop = math.min(place + 8, size)
    while place < stop do
      local more = at[place] < 0x80 and 1 or character_size(at, place)
      if not more then
        return false
      end
      place = place + more
    end
  end
  return true
end

local marks_size = 4096
local marks = INT32_BUFFER(marks_size) -- of each value: where it begins, and where it ends; below zero if it has quotes

-- Finds the values of all whole records. Gives how many records these are, and where they end; nil if a record has
-- something that is left to others.
local function find_values(at, size, columns)
  local from, column, count, rows, used = 0, 0, 0, 0, 0
  while from < size do
    if at[from] ~= QUOTE then
      return nil
    end
    from = from + 1
    local stop, has_quotes = end_of_value(at, from, size)
    if stop < 0 or stop + 1 >= size then
      break
    end
    if count + 2 > marks_size then
      local more = INT32_BUFFER(2 * marks_size)
      ffi.copy(more, marks, 4 * count)
      marks, marks_size = more, 2 * marks_size
    end
    marks[count] = from
    marks[count + 1] = has_quotes and -stop or stop
    count = count + 2
    local byte = at[stop + 1]
    from = stop + 2
    column = column + 1
    if byte == LINE_FEED and column == columns then
      column = 0
      rows, used = rows + 1, from
    elseif byte ~= COMMA or column == columns then
      return nil
    end
  end
  return rows, used
end

-- Marks a row's value as NULL.
local function clear(valid, row)
  local byte = rshift(row, 3)
  valid[byte] = band(valid[byte], bnot(lshift(1, band(row, 7))))
end

-- Writes texts and where each of them ends. Gives their size and how many are NULL.
local function write_texts(at, first, step, rows, valid, ends, texts)
  local size, nulls = 0, 0
  ends[0] = 0
  for row = 0, rows - 1 do
    local from, stop = marks[first + row * step], marks[first + row * step + 1]
    if stop == from then
      clear(valid, row)
      nulls = nulls + 1
    elseif stop > 0 then
      ffi.copy(texts + size, at + from, stop - from)
      size = size + stop - from
    else
      while from < -stop do
        if at[from] == QUOTE then
          from = from + 1
        end
        texts[size] = at[from]
        size, from = size + 1, from + 1
      end
    end
    ends[row + 1] = size
  end
  return size, nulls
end

-- Whether a value is one of the two words.
local function boolean_of(at, from, stop)
  local size = stop - from
  if size == 4 and at[from] == 116 and at[from + 1] == 114 and at[from + 2] == 117 and at[from + 3] == 101 then
    return true
  elseif size == 5 and at[from] == 102 and at[from + 1] == 97 and at[from + 2] == 108 and at[from + 3] == 115 and at[from + 4] == 101 then
    return false
  end
  return nil
end

-- Writes the values of a column that is no text. Gives how many are NULL; nil if one is left to others.
local function write_values(at, first, step, rows, valid, values, kind, precision, scale)
  local nulls = 0
  local longs, dates, bits = ffi.cast(INT64, values), ffi.cast(INT32, values), ffi.cast(BYTE_ARRAY, values)
  if kind == BOOLEAN then
    ffi.fill(values, math.floor(rows / 8) + 1)
  end
  for row = 0, rows - 1 do
    local from, stop = marks[first + row * step], marks[first + row * step + 1]
    if stop == from then
      clear(valid, row)
      nulls = nulls + 1
    elseif stop < 0 then
      return nil
    elseif kind == DECIMAL then
      local number = decimal_of(at, from, stop, precision, scale)
      if not number then
        return nil
      end
      longs[2 * row] = number
      longs[2 * row + 1] = number < 0LL and -1 or 0
    elseif kind == INTEGER then
      local number = decimal_of(at, from, stop, DIGITS_OF_LONG, 0)
      if not number then
        return nil
      end
      longs[row] = number
    elseif kind == BOOLEAN then
      local is_true = boolean_of(at, from, stop)
      if is_true == nil then
        return nil
      elseif is_true then
        bits[rshift(row, 3)] = bor(bits[rshift(row, 3)], lshift(1, band(row, 7)))
      end
    elseif kind == DATE then
      local days = stop - from == 10 and days_of(at, from)
      if not days then
        return nil
      end
      dates[row] = days
    elseif kind == TIME then
      local past = stop - from == 13 and is_utc(at, from + 12, stop) and milliseconds_of(at, from)
      if not past then
        return nil
      end
      longs[row] = 1000LL * past
    else
      local is_whole = stop - from > 23 and at[from + 10] == 84 and is_utc(at, from + 23, stop)
      local days = is_whole and days_of(at, from)
      local past = days and milliseconds_of(at, from + 11)
      if not past then
        return nil
      end
      longs[row] = (86400000LL * days + past) * 1000LL
    end
  end
  return nulls
end

-- kinds, precisions and scales: of each column, a byte each.
--
-- Gives a function that takes where what comes next of the records is, its size, and where columns may be written, which
-- has room for them. It gives the number of records, where the last whole one ends, and for each column four numbers of
-- eight bytes: how many values are NULL, and where what says so, the values, and the bytes of texts begin. It gives nil
-- if there is something that is left to others.
return function(kinds, precisions, scales)
  local columns = #kinds
  local places = INT64_BUFFER(4 * columns)

  return function(address, size, arena)
    local at, out = bytes_at(address), ffi.cast(BYTE_ARRAY, ffi.cast("uintptr_t", arena))
    if find(at, 0, 0, size) >= 0 then
      return nil
    end
    local rows, used = find_values(at, size, columns)
    if not rows or not is_utf8(at, used) then
      return nil
    end
    local place = 0
    for column = 0, columns - 1 do
      local kind = kinds:byte(column + 1)
      local valid = out + place
      local valid_size = 8 * (math.floor(rows / 64) + 1)
      ffi.fill(valid, valid_size, 255)
      local values = valid + valid_size
      places[4 * column + 1] = place
      place = place + valid_size
      places[4 * column + 2] = place
      local nulls
      if kind == TEXT then
        place = place + 8 * (math.floor(rows / 2) + 1)
        places[4 * column + 3] = place
        local texts_size
        texts_size, nulls = write_texts(at, 2 * column, 2 * columns, rows, valid, ffi.cast(INT32, values), out + place)
        place = place + 8 * (math.floor(texts_size / 8) + 1)
      else
        local precision, scale = precisions:byte(column + 1), scales:byte(column + 1)
        nulls = write_values(at, 2 * column, 2 * columns, rows, valid, values, kind, precision, scale)
        if not nulls then
          return nil
        end
        place = place + (kind == DECIMAL and 16 or 8) * rows
      end
      places[4 * column] = nulls
    end
    return rows, used, ffi.string(places, 32 * columns)
  end
end
