/* Time. The kernel is asked at the first reading after clock_update, not by it: the loop calls it before it
 * sleeps, and the first callback after the sleep must not see the time from before. */
#include "conversation/base/clock.h"

#include <time.h>

#define MS_PER_DAY    86400000LL
#define YEAR_0000_MS  (-62167219200000LL)
#define YEAR_10000_MS 253402300800000LL

static struct {
    int64_t now_ms, mono_ms;
    bool is_current, is_test;
} reading;

static int64_t kernel_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t); /* cannot fail for the two clocks below */
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void read_kernel(void)
{
    reading.now_ms = kernel_ms(CLOCK_REALTIME);
    reading.mono_ms = kernel_ms(CLOCK_MONOTONIC);
    reading.is_current = true;
}

int64_t clock_now_ms(void)
{
    if (!reading.is_current)
        read_kernel();
    return reading.now_ms;
}

int64_t clock_mono_ms(void)
{
    if (!reading.is_current)
        read_kernel();
    return reading.mono_ms;
}

void clock_update(void)
{
    reading.is_current = reading.is_test;
}

void clock_set_for_test(int64_t now_ms, int64_t mono_ms)
{
    reading.now_ms = now_ms;
    reading.mono_ms = mono_ms;
    reading.is_current = reading.is_test = true;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that the leap
 * day is the last of its year; an era is the 400 years (146097 days) after which the calendar repeats. */
static int64_t days_of_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = floor_div(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static void put_digits(char *out, int count, int64_t value)
{
    while (count--) {
        out[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_format_iso(int64_t at_ms, char out[CLOCK_ISO_LENGTH + 1])
{
    int year, month, day;
    if (at_ms < YEAR_0000_MS)
        at_ms = YEAR_0000_MS;
    if (at_ms >= YEAR_10000_MS)
        at_ms = YEAR_10000_MS - 1;
    int64_t days = floor_div(at_ms, MS_PER_DAY);
    int64_t ms = at_ms - days * MS_PER_DAY;
    date_of_days(days, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_ISO_LENGTH + 1);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, ms / 3600000);
    put_digits(out + 14, 2, ms / 60000 % 60);
    put_digits(out + 17, 2, ms / 1000 % 60);
    put_digits(out + 20, 3, ms % 1000);
}

/* Takes exactly `count` digits from the front of `s`. */
static bool take_number(struct str *s, size_t count, int min, int max, int *out)
{
    int value = 0;
    if (s->n < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        value = value * 10 + (s->p[i] - '0');
    }
    s->p += count;
    s->n -= count;
    *out = value;
    return value >= min && value <= max;
}

static bool take_one_of(struct str *s, const char *set, char *out)
{
    if (s->n == 0 || s->p[0] == '\0' || !strchr(set, s->p[0]))
        return false;
    *out = s->p[0];
    s->p++;
    s->n--;
    return true;
}

/* The optional fraction, cut to milliseconds; false when a point is followed by no digit. */
static bool take_fraction(struct str *s, int *ms)
{
    char c;
    int weight = 100;
    *ms = 0;
    if (!take_one_of(s, ".", &c))
        return true;
    if (!take_one_of(s, "0123456789", &c))
        return false;
    do {
        *ms += (c - '0') * weight;
        weight /= 10;
    } while (take_one_of(s, "0123456789", &c));
    return true;
}

static bool take_offset(struct str *s, int *minutes)
{
    char sign;
    int hour, minute;
    if (!take_one_of(s, "Zz+-", &sign))
        return false;
    *minutes = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (!take_number(s, 2, 0, 23, &hour) || !take_one_of(s, ":", &(char){0}) ||
        !take_number(s, 2, 0, 59, &minute))
        return false;
    *minutes = (hour * 60 + minute) * (sign == '-' ? -1 : 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

bool clock_parse_iso(struct str s, int64_t *at_ms)
{
    int year, month, day, hour, minute, second, ms, offset_minutes;
    char c;
    if (!take_number(&s, 4, 0, 9999, &year) || !take_one_of(&s, "-", &c) ||
        !take_number(&s, 2, 1, 12, &month) || !take_one_of(&s, "-", &c) ||
        !take_number(&s, 2, 1, days_in_month(year, month), &day))
        return false;
    if (!take_one_of(&s, "Tt", &c) || !take_number(&s, 2, 0, 23, &hour) || !take_one_of(&s, ":", &c) ||
        !take_number(&s, 2, 0, 59, &minute) || !take_one_of(&s, ":", &c) ||
        !take_number(&s, 2, 0, 59, &second))
        return false;
    if (!take_fraction(&s, &ms) || !take_offset(&s, &offset_minutes) || s.n)
        return false;
    int64_t minutes = (days_of_date(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    *at_ms = (minutes * 60 + second) * 1000 + ms;
    return true;
}

int64_t clock_week_start_ms(int64_t at_ms)
{
    int64_t days = floor_div(at_ms, MS_PER_DAY);
    int64_t weekday = days + 3 - floor_div(days + 3, 7) * 7; /* 0 is Monday; 1970-01-01 was a Thursday */
    return (days - weekday) * MS_PER_DAY;
}
