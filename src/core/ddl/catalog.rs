//! Takes the catalog's functions out of a dump: `pg_dump` leaves out tables and schemas by name, but no functions.

use super::{Dump, Entry, Kind, parse, statement};
use crate::core::managed::CATALOG_MARKER;
use std::collections::BTreeSet;

/// The dump without the functions whose comment says that they are the catalog's, and without what belongs to them.
/// Text that holds none of them comes back as it is, byte for byte.
pub fn without_catalog(dump: Vec<u8>) -> Vec<u8> {
    let marked = |text: &&str| text.contains(CATALOG_MARKER);
    let Some(text) = std::str::from_utf8(&dump).ok().filter(marked) else {
        return dump;
    };
    let Dump { preamble, entries } = parse(text);
    let ours: BTreeSet<&str> = entries.iter().filter_map(marks).collect();
    let mut kept = preamble;
    for entry in &entries {
        match function(entry).is_some_and(|name| ours.contains(name)) {
            true => kept.push_str(&settings(entry)),
            false => kept.push_str(&entry.text),
        }
    }
    kept.into_bytes()
}

/// The function that a comment of ours marks.
fn marks(entry: &Entry) -> Option<&str> {
    let says = |s: &String| s.contains(&format!(" IS '{CATALOG_MARKER}"));
    let is_ours = entry.kind == Kind::Comment && entry.statements.iter().any(says);
    is_ours.then(|| function(entry))?
}

/// The function that an entry defines, explains or grants, as `pg_dump` writes it in all three: qualified, with the
/// names and types of its arguments. (Headers write it in two ways.)
fn function(entry: &Entry) -> Option<&str> {
    let between = |before: &str, after: &str| {
        entry.statements.iter().find_map(|s| {
            let rest = s.strip_prefix(before)?;
            Some(rest.split_once(after)?.0)
        })
    };
    match entry.kind {
        Kind::Function => between("ALTER FUNCTION ", " OWNER TO "),
        Kind::Comment => between("COMMENT ON FUNCTION ", " IS "),
        Kind::Acl => between("REVOKE ALL ON FUNCTION ", " FROM ")
            .or_else(|| between("GRANT ALL ON FUNCTION ", " TO ")),
        _ => None,
    }
}

/// What an entry sets for those after it: `pg_dump` writes that at the end of the one before.
fn settings(entry: &Entry) -> String {
    let set = |s: &&String| {
        ["default_tablespace", "default_table_access_method"]
            .iter()
            .any(|name| statement::setting(s, name).is_some())
    };
    let all = statement::split(&entry.text);
    all.iter().filter(set).map(|s| format!("{s}\n\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: &str = r#"--
-- Name: mine("text"); Type: FUNCTION; Schema: public; Owner: postgres
--

CREATE FUNCTION "public"."mine"("a" "text") RETURNS "text" LANGUAGE "sql" AS $$ SELECT ' IS ''rovodev:catalog' $$;


ALTER FUNCTION "public"."mine"("a" "text") OWNER TO "postgres";

"#;
    const OURS: &str = r#"--
-- Name: mine("text", "uuid"); Type: FUNCTION; Schema: public; Owner: postgres
--

CREATE FUNCTION "public"."mine"("a" "text", "b" "uuid" DEFAULT NULL) RETURNS "text" LANGUAGE "sql" AS $$ SELECT 1; $$;


ALTER FUNCTION "public"."mine"("a" "text", "b" "uuid") OWNER TO "postgres";

--
-- Name: FUNCTION "mine"("a" "text", "b" "uuid"); Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON FUNCTION "public"."mine"("a" "text", "b" "uuid") IS 'rovodev:catalog Does it.';


"#;
    const SET: &str =
        "SET default_tablespace = '';\n\nSET default_table_access_method = \"heap\";\n\n";
    const TABLE: &str = r#"--
-- Name: t; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE "public"."t" ();


"#;
    const RIGHTS: &str = r#"--
-- Name: FUNCTION "mine"("a" "text", "b" "uuid"); Type: ACL; Schema: public; Owner: postgres
--

REVOKE ALL ON FUNCTION "public"."mine"("a" "text", "b" "uuid") FROM PUBLIC;
GRANT ALL ON FUNCTION "public"."mine"("a" "text", "b" "uuid") TO "authenticated";


"#;

    fn cut(text: &str) -> String {
        String::from_utf8(without_catalog(text.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn marked_functions_go_with_their_comments_and_grants() {
        let whole = format!("\\restrict x\n\n{MINE}{OURS}{SET}{TABLE}{RIGHTS}");
        assert_eq!(cut(&whole), format!("\\restrict x\n\n{MINE}{SET}{TABLE}"));
    }

    #[test]
    fn a_dump_without_them_stays_as_it_is() {
        for text in ["", TABLE, MINE, &format!("{MINE}{TABLE}")] {
            assert_eq!(cut(text), text);
        }
        let not_text = b"\xff rovodev:catalog".to_vec();
        assert_eq!(without_catalog(not_text.clone()), not_text);
    }
}
