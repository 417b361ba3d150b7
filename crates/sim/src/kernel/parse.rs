//! How the kernel reads numbers from text: its string helpers, with their quirks. Pure functions over bytes.

use super::Errno;

/// White space as the kernel's `isspace` sees it (bytes above 127 are letters there, except the no-break space).
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13 | 0xa0)
}

/// `strstrip`: without white space at both ends.
pub(super) fn strip(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// `skip_spaces`: without white space at the front.
pub(super) fn skip_spaces(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| is_space(**byte)).count()..]
}

/// The base that a number announces, and its digits: `0x` hexadecimal, a leading `0` octal.
fn radix(text: &[u8]) -> (u32, &[u8]) {
    match text {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, &text[2..]),
        [b'0', ..] => (8, text),
        _ => (10, text),
    }
}

/// A run of digits: value modulo 2^64, whether it overflowed, how many digits.
fn digits(text: &[u8], base: u32) -> (u64, bool, usize) {
    let (mut value, mut overflow, mut count) = (0u64, false, 0);
    for byte in text {
        let Some(digit) = char::from(*byte).to_digit(base) else { break };
        let (product, over) = value.overflowing_mul(u64::from(base));
        let (sum, carry) = product.overflowing_add(u64::from(digit));
        (value, overflow, count) = (sum, overflow || over || carry, count + 1);
    }
    (value, overflow, count)
}

/// `kstrtoull` with base 0: the whole text is one number; one trailing newline is tolerated.
pub(super) fn kstrtoull(text: &[u8]) -> Result<u64, Errno> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let (base, body) = radix(text);
    let (value, overflow, count) = digits(body, base);
    if count == 0 {
        return Err(Errno::EINVAL);
    }
    if overflow {
        return Err(Errno::ERANGE);
    }
    match &body[count..] {
        b"" | b"\n" => Ok(value),
        _ => Err(Errno::EINVAL),
    }
}

/// `kstrtoll` with base 0.
pub(super) fn kstrtoll(text: &[u8]) -> Result<i64, Errno> {
    if let Some(body) = text.strip_prefix(b"-") {
        if body.starts_with(b"+") {
            return Err(Errno::EINVAL);
        }
        let value = kstrtoull(body)?;
        return if value <= 1 << 63 { Ok(0i64.wrapping_sub_unsigned(value)) } else { Err(Errno::ERANGE) };
    }
    i64::try_from(kstrtoull(text)?).map_err(|_| Errno::ERANGE)
}

/// `kstrtoint` with base 0.
pub(super) fn kstrtoint(text: &[u8]) -> Result<i32, Errno> {
    i32::try_from(kstrtoll(text)?).map_err(|_| Errno::ERANGE)
}

/// A stripped 0 or 1; other numbers are out of range.
pub(super) fn switch(text: &[u8]) -> Result<bool, Errno> {
    match kstrtoint(strip(text))? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::ERANGE),
    }
}

/// `sscanf("%llu")` or `%u`: blanks, then decimal digits. The value (modulo 2^64), whether it overflowed, and the rest.
pub(super) fn scan_decimal(text: &[u8]) -> Option<(u64, bool, &[u8])> {
    let text = skip_spaces(text);
    let (value, overflow, count) = digits(text, 10);
    if count == 0 { None } else { Some((value, overflow, &text[count..])) }
}

/// `sscanf("%Ns")`: blanks, then up to `width` bytes that are not blank, and the rest. An empty text has no word.
pub(super) fn scan_word(text: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let text = skip_spaces(text);
    if text.is_empty() {
        return None;
    }
    let length = text.iter().take(width).take_while(|byte| !is_space(**byte)).count();
    Some(text.split_at(length))
}

/// `memparse`: a number in any base with an optional suffix K, M, G, T, P or E, and the rest of the text. `saturate`
/// is the newer behaviour: no wrap-around, and a suffix needs digits before it.
pub(super) fn memparse(text: &[u8], saturate: bool) -> (u64, &[u8]) {
    let (base, body) = radix(text);
    let (value, overflow, count) = digits(body, base);
    let rest = &body[count..];
    if count == 0 && saturate {
        return (0, text);
    }
    let power = match rest.first().map(u8::to_ascii_uppercase) {
        Some(b'K') => 10,
        Some(b'M') => 20,
        Some(b'G') => 30,
        Some(b'T') => 40,
        Some(b'P') => 50,
        Some(b'E') => 60,
        _ => 0,
    };
    let rest = if power == 0 { rest } else { &rest[1..] };
    let lost = overflow || value.leading_zeros() < power && value != 0;
    (if saturate && lost { u64::MAX } else { value << power }, rest)
}

/// `match_token`-style lists such as `0-3,5 7-N`, `all`, `0-7:1/2`: a set of numbers below `limit`.
/// All from 63 on are one bit: no imagined machine has so many of anything.
pub(super) fn bit_list(text: &[u8], limit: u32) -> Result<u64, Errno> {
    assert!(limit > 0, "there is something to number");
    let mut bits = 0;
    for region in text.split(|byte| *byte == b',' || is_space(*byte)).filter(|region| !region.is_empty()) {
        bits |= region_bits(region, limit)?;
    }
    Ok(bits)
}

fn region_bits(region: &[u8], limit: u32) -> Result<u64, Errno> {
    let (start, end, rest) = region_bounds(region, limit)?;
    let (used, group) = match rest.strip_prefix(b":") {
        None if rest.is_empty() => (1, 1),
        None => return Err(Errno::EINVAL),
        Some(pattern) => {
            let (used, rest) = region_number(pattern, limit)?;
            let rest = rest.strip_prefix(b"/").ok_or(Errno::EINVAL)?;
            let (group, rest) = region_number(rest, limit)?;
            if !rest.is_empty() {
                return Err(Errno::EINVAL);
            }
            (used, group)
        }
    };
    if start > end || group == 0 || used > group {
        return Err(Errno::EINVAL);
    }
    if end >= u64::from(limit) {
        return Err(Errno::ERANGE);
    }
    Ok((start..=end).filter(|bit| (bit - start) % group < used).fold(0, |bits, bit| bits | 1 << bit.min(63)))
}

fn region_bounds(region: &[u8], limit: u32) -> Result<(u64, u64, &[u8]), Errno> {
    if let Some(rest) = region.strip_prefix(b"all") {
        return Ok((0, u64::from(limit) - 1, rest));
    }
    let (start, rest) = region_number(region, limit)?;
    match rest.strip_prefix(b"-") {
        None => Ok((start, start, rest)),
        Some(rest) => region_number(rest, limit).map(|(end, rest)| (start, end, rest)),
    }
}

fn region_number(text: &[u8], limit: u32) -> Result<(u64, &[u8]), Errno> {
    if let Some(rest) = text.strip_prefix(b"N") {
        return Ok((u64::from(limit) - 1, rest));
    }
    let (value, overflow, count) = digits(text, 10);
    match (count, overflow || value > u64::from(u32::MAX)) {
        (0, _) => Err(Errno::EINVAL),
        (_, true) => Err(Errno::EOVERFLOW),
        (_, false) => Ok((value, &text[count..])),
    }
}

/// The opposite of [`bit_list`]: `0-3,5`.
pub(super) fn print_bits(bits: u64) -> String {
    let mut text = String::new();
    let mut bit = 0;
    while bit < 64 {
        if bits >> bit & 1 == 0 {
            bit += 1;
            continue;
        }
        let length = (bits >> bit).trailing_ones();
        let gap = if text.is_empty() { "" } else { "," };
        text += &match length {
            1 => format!("{gap}{bit}"),
            _ => format!("{gap}{bit}-{}", bit + length - 1),
        };
        bit += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_base() {
        assert_eq!(kstrtoll(b"0x10"), Ok(16));
        assert_eq!(kstrtoll(b"010\n"), Ok(8));
        assert_eq!(kstrtoll(b"+3"), Ok(3));
        assert_eq!(kstrtoll(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(kstrtoll(b"99999999999999999999"), Err(Errno::ERANGE));
        for junk in ["", " 1", "1 ", "0x", "1\n\n", "-", "+-1"] {
            assert_eq!(kstrtoll(junk.as_bytes()), Err(Errno::EINVAL), "{junk:?}");
        }
    }

    #[test]
    fn sizes_wrap_or_saturate() {
        assert_eq!(memparse(b"64M", false), (64 << 20, &b""[..]));
        assert_eq!(memparse(b"16E", false).0, 0);
        assert_eq!(memparse(b"16E", true).0, u64::MAX);
        assert_eq!(memparse(b"M", false), (0, &b""[..]));
        assert_eq!(memparse(b"M", true), (0, &b"M"[..]));
        assert_eq!(memparse(b"64MB", false).1, b"B");
    }

    #[test]
    fn lists_of_numbers() {
        assert_eq!(bit_list(b"0-3,5 7", 8), Ok(0b1010_1111));
        assert_eq!(bit_list(b"0-7:1/2", 8), Ok(0b0101_0101));
        assert_eq!(bit_list(b"0-N", 2), Ok(3));
        assert_eq!(bit_list(b",", 2), Ok(0));
        assert_eq!(bit_list(b"1-0", 2), Err(Errno::EINVAL));
        assert_eq!(bit_list(b"2", 2), Err(Errno::ERANGE));
        assert_eq!(print_bits(0b1010_1111), "0-3,5,7");
        assert_eq!(print_bits(u64::MAX), "0-63");
        assert_eq!(print_bits(0), "");
    }
}
