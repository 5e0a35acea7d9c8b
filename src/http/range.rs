//! Parts of a file that a reader asks for.

use super::{Problem, Request};
use http::{StatusCode, header};
use http_range_header::{RangeUnsatisfiableError, parse_range_header};
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
    let Some(Ok(parsed)) = text(header::RANGE).map(parse_range_header) else {
        return Ok(None);
    };
    if parsed.ranges.len() != 1 {
        return Ok(None);
    }
    match parsed.validate(length) {
        Ok(ranges) => Ok(ranges.first().map(|r| *r.start()..*r.end() + 1)),
        // The last so many bytes of a file that has fewer.
        Err(RangeUnsatisfiableError::FileSuffixOutOfBounds) => Ok(Some(0..length)),
        Err(_) => Err(Problem::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "bad_range",
            format!("The file has {length} bytes."),
        )),
    }
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
            ("lines=0-1", None),
            ("bytes=x", None),
        ] {
            assert_eq!(read(range, None).unwrap(), expected, "{range}");
        }
        for range in ["bytes=10-", "bytes=10-20", "bytes=5-3"] {
            assert_eq!(read(range, None).unwrap_err().status, 416, "{range}");
        }
        assert_eq!(read("bytes=3-", Some("\"a\"")).unwrap(), Some(3..10));
        assert_eq!(read("bytes=3-", Some("\"b\"")).unwrap(), None);
    }
}
