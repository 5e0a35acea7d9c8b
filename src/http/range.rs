//! Parts of a file that a reader asks for.

use super::{Problem, Request};
use http::{StatusCode, header};
use http_range_header::{EndPosition, RangeUnsatisfiableError, StartPosition, parse_range_header};
use std::ops::Range;

/// The one range that is asked for; `None` is the whole file. Several ranges, other units, what cannot be read and a
/// part of a file that is another by now (`If-Range`) get the whole, as RFC 9110 allows.
///
/// # Errors
/// 416 where nothing of the file lies within.
pub fn asked(request: &Request, length: u64, tag: &str) -> Result<Option<Range<u64>>, Problem> {
    let text = |name| request.headers().get(name).and_then(|v| v.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Ok(None);
    }
    let nothing = || {
        let detail = format!("The file has {length} bytes.");
        Err(Problem::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "bad_range",
            detail,
        ))
    };
    let parsed = match text(header::RANGE)
        .and_then(of_bytes)
        .as_deref()
        .map(parse_range_header)
    {
        Some(Ok(parsed)) => parsed,
        Some(Err(RangeUnsatisfiableError::ZeroSuffix)) => return nothing(),
        Some(Err(_)) | None => return Ok(None),
    };
    let [range] = parsed.ranges[..] else {
        return Ok(None);
    };
    if let (StartPosition::Index(first), EndPosition::Index(last)) = (range.start, range.end)
        && first > last
    {
        return Ok(None);
    }
    match parsed.validate(length) {
        Ok(ranges) => Ok(ranges.first().map(|r| *r.start()..*r.end() + 1)),
        // The last so many bytes of a file that has fewer.
        Err(RangeUnsatisfiableError::FileSuffixOutOfBounds) => Ok(Some(0..length)),
        Err(_) => nothing(),
    }
}

/// The unit may be written in any case.
fn of_bytes(range: &str) -> Option<String> {
    let (unit, set) = range.split_once('=')?;
    unit.eq_ignore_ascii_case("bytes")
        .then(|| format!("bytes={set}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(range: &str, known: Option<&str>) -> Result<Option<Range<u64>>, Problem> {
        let mut request = http::Request::get("/").header("range", range);
        if let Some(known) = known {
            request = request.header("if-range", known);
        }
        asked(&request.body(bytes::Bytes::new()).unwrap(), 10, "\"a\"")
    }

    #[test]
    fn one_range_of_a_known_file_is_answered() {
        for (range, expected) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=3-", Some(3..10)),
            ("bytes=3-99", Some(3..10)),
            ("bytes=-4", Some(6..10)),
            ("bytes=-40", Some(0..10)),
            ("bytes=0-1,4-5", None),
            ("BYTES=0-1", Some(0..2)),
            ("bytes=5-3", None),
            ("lines=0-1", None),
            ("bytes=x", None),
        ] {
            assert_eq!(read(range, None).unwrap(), expected, "{range}");
        }
        for range in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(read(range, None).unwrap_err().status, 416, "{range}");
        }
        assert_eq!(read("bytes=3-", Some("\"a\"")).unwrap(), Some(3..10));
        assert_eq!(read("bytes=3-", Some("\"b\"")).unwrap(), None);
    }
}
