/*
 * DataRow messages of PostgreSQL's protocol, their values in binary form, turned into columns.
 *
 * Source: PostgreSQL documentation, "Message Formats" (DataRow) and the binary output of the types:
 * numbers big-endian, timestamps as microseconds since 2000, arrays as a header with their dimensions
 * and elements with a length each. The columns are laid out as Apache Arrow wants them (Columnar
 * Format: validity bitmaps with the lowest bit first, 32-bit offsets), so that nothing is copied again.
 *
 * It is C because every cell is touched here, and because Python's lock is free meanwhile. `measure`
 * looks at whole messages, checks every length in them, and counts; the caller makes room by the counts;
 * `fill` then writes, from the same octets.
 */
#include <stdint.h>
#include <string.h>

struct column {
    /* What it is. */
    int32_t width;      /* octets of a number; 0 means text */
    int32_t is_list;    /* a cell is an array of such values */
    int64_t shift;      /* added to each 8-octet number, infinities excepted */
    /* What `measure` counts. */
    int64_t nulls;      /* cells that are NULL */
    int64_t items;      /* elements of all lists */
    int64_t item_nulls; /* elements that are NULL */
    int64_t octets;     /* octets of all text */
    /* Where `fill` writes; a bitmap may be missing where nothing is NULL. */
    uint8_t *valid;     /* bits of the cells, zero before */
    uint8_t *item_valid;/* bits of the elements, zero before */
    int32_t *ends;      /* lists: where their elements begin; text: where its octets do; one more than cells */
    int32_t *item_ends; /* lists of text: where the octets of elements begin; one more than elements */
    uint8_t *values;    /* numbers, or the octets of text */
};

enum { MALFORMED = -1 };

static const int32_t HEADER = 12; /* octets of an array before its dimensions */

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
    return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static void put(const struct column *c, int64_t index, const uint8_t *p)
{
    if (c->width == 8) {
        uint64_t value = be64(p);
        if (c->shift && value != INT64_MAX && value != (uint64_t)INT64_MIN)
            value += (uint64_t)c->shift;
        memcpy(c->values + 8 * index, &value, 8);
    } else if (c->width == 4) {
        uint32_t value = be32(p);
        memcpy(c->values + 4 * index, &value, 4);
    } else {
        uint16_t value = (uint16_t)(p[0] << 8 | p[1]);
        memcpy(c->values + 2 * index, &value, 2);
    }
}

static void set_bit(uint8_t *bits, int64_t index)
{
    if (bits)
        bits[index >> 3] |= (uint8_t)(1 << (index & 7));
}

/* The elements of an array, whose lengths have been checked; -1 if its header does not fit. */
static int64_t elements(const uint8_t *p, int64_t size)
{
    if (size < HEADER)
        return MALFORMED;
    int64_t dimensions = be32(p), count = dimensions ? 1 : 0;
    if (dimensions > 6 || size < HEADER + 8 * dimensions)
        return MALFORMED;
    for (int64_t d = 0; d < dimensions; d++) {
        count *= (int32_t)be32(p + HEADER + 8 * d);
        if (count < 0 || count > size)
            return MALFORMED;
    }
    return count;
}

static int measure_list(struct column *c, const uint8_t *p, int64_t size)
{
    int64_t count = elements(p, size);
    if (count == MALFORMED)
        return MALFORMED;
    const uint8_t *end = p + size;
    p += HEADER + 8 * (int64_t)be32(p);
    c->items += count;
    for (; count; count--) {
        if (end - p < 4)
            return MALFORMED;
        int32_t length = (int32_t)be32(p);
        p += 4;
        if (length == -1) {
            c->item_nulls++;
            continue;
        }
        if (length < 0 || length > end - p || (c->width && length != c->width))
            return MALFORMED;
        c->octets += c->width ? 0 : length;
        p += length;
    }
    return p == end ? 0 : MALFORMED;
}

static int measure_row(struct column *columns, int32_t count, const uint8_t *p, const uint8_t *end)
{
    if (end - p < 2 || (p[0] << 8 | p[1]) != count)
        return MALFORMED;
    p += 2;
    for (struct column *c = columns; c < columns + count; c++) {
        if (end - p < 4)
            return MALFORMED;
        int32_t length = (int32_t)be32(p);
        p += 4;
        if (length == -1) {
            c->nulls++;
            continue;
        }
        if (length < 0 || length > end - p)
            return MALFORMED;
        if (c->is_list) {
            if (measure_list(c, p, length))
                return MALFORMED;
        } else if (!c->width) {
            c->octets += length;
        } else if (length != c->width) {
            return MALFORMED;
        }
        p += length;
    }
    return p == end ? 0 : MALFORMED;
}

/*
 * Count what whole DataRow messages hold, from the beginning of the octets up to another message, one
 * that is not whole, or `most` rows. Returns the rows, MALFORMED (-1) if one does not fit the columns;
 * `used` becomes the octets of these messages.
 */
int64_t measure(const uint8_t *octets, int64_t size, int64_t most, struct column *columns, int32_t count,
                int64_t *used)
{
    const uint8_t *p = octets, *end = octets + size;
    int64_t rows = 0;
    while (rows < most && end - p >= 5 && p[0] == 'D') {
        int64_t length = be32(p + 1);
        if (length < 4)
            return MALFORMED;
        if (length > end - p - 1)
            break;
        if (measure_row(columns, count, p + 5, p + 1 + length))
            return MALFORMED;
        p += 1 + length;
        rows++;
    }
    *used = p - octets;
    return rows;
}

static void fill_list(const struct column *c, const uint8_t *p, int64_t *item, int64_t *octet)
{
    int64_t count = elements(p, INT32_MAX);
    p += HEADER + 8 * (int64_t)be32(p);
    for (; count; count--, (*item)++) {
        int32_t length = (int32_t)be32(p);
        p += 4;
        if (length >= 0) {
            set_bit(c->item_valid, *item);
            if (c->width)
                put(c, *item, p);
            else
                memcpy(c->values + *octet, p, (size_t)length), *octet += length;
            p += length;
        } else if (c->width) {
            memset(c->values + *item * c->width, 0, (size_t)c->width);
        }
        if (!c->width)
            c->item_ends[*item + 1] = (int32_t)*octet;
    }
}

/* Write the rows that `measure` counted; `items` and `octets` hold a zero for each column. */
void fill(const uint8_t *p, int64_t rows, const struct column *columns, int32_t count, int64_t *items,
          int64_t *octets)
{
    for (int64_t row = 0; row < rows; row++) {
        p += 7;
        for (int32_t n = 0; n < count; n++) {
            const struct column *c = columns + n;
            int32_t length = (int32_t)be32(p);
            p += 4;
            if (length >= 0)
                set_bit(c->valid, row);
            if (c->is_list) {
                if (length >= 0)
                    fill_list(c, p, items + n, octets + n);
                c->ends[row + 1] = (int32_t)items[n];
            } else if (!c->width) {
                if (length > 0)
                    memcpy(c->values + octets[n], p, (size_t)length), octets[n] += length;
                c->ends[row + 1] = (int32_t)octets[n];
            } else if (length >= 0) {
                put(c, row, p);
            } else {
                memset(c->values + row * c->width, 0, (size_t)c->width);
            }
            if (length > 0)
                p += length;
        }
    }
}
