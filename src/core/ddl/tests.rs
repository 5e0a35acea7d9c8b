use super::*;
use proptest::prelude::*;

const DUMP: &str = r#"--
-- PostgreSQL database dump
--

\restrict abc

SET statement_timeout = 0;

--
-- Name: touch(); Type: FUNCTION; Schema: app; Owner: me
--

CREATE FUNCTION app.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$
--
-- Name: fake; Type: TABLE; Schema: app; Owner: me
--

BEGIN RETURN NEW; END $_$;


ALTER FUNCTION app.touch() OWNER TO "the owner";

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: a; Type: TABLE; Schema: public; Owner: me; Tablespace: fast
--

CREATE TABLE public.a (
    id integer,
    "--
-- Name: fake; Type: TABLE; Schema: app; Owner: me
--
" text
);


--
-- Name: a; Type: b; Type: TABLE; Schema: public; Owner: me
--

CREATE TABLE public."a; Type: b" ();


--
-- PostgreSQL database dump complete
--

\unrestrict abc

"#;

#[test]
fn cuts_at_headers_and_never_inside_quotes() {
    let dump = parse(DUMP);
    let labels: Vec<_> = dump.entries.iter().map(Entry::label).collect();
    assert_eq!(
        labels,
        [
            "FUNCTION app.touch()",
            "TABLE public.a",
            "TABLE public.a; Type: b"
        ]
    );
    let owner = dump.entries[0].statements[1].as_str();
    assert_eq!(statement::new_owner(owner), Some("the owner".into()));
    assert_eq!(dump.entries[1].access_method.as_deref(), Some("heap"));
    assert_eq!(dump.entries[1].owner.as_deref(), Some("me"));
    assert!(dump.entries.iter().all(|e| !e.sql().contains("restrict")));
    assert!(
        dump.entries
            .iter()
            .all(|e| !e.sql().contains("default_tablespace"))
    );
}

fn joined(dump: &Dump) -> String {
    let texts = dump.entries.iter().map(|e| e.text.as_str());
    std::iter::once(dump.preamble.as_str())
        .chain(texts)
        .collect()
}

proptest! {
    #[test]
    fn preamble_and_entries_join_to_the_input(cut in 0..DUMP.len(), insert in "(--\n|-- Name: x; Type: y; Schema: z; Owner: o\n|\\$_\\$|'|\"|/\\*|\\*/|E'\\\\'|;|\n|a){0,12}") {
        let text = format!("{}{insert}{}", &DUMP[..cut], &DUMP[cut..]);
        prop_assert_eq!(joined(&parse(&text)), text);
    }

    /// Whatever a function's body or a comment holds, no entry comes of it.
    #[test]
    fn bodies_make_no_entries(body in "(--\n-- Name: x; Type: TABLE; Schema: z; Owner: o\n--\n|'|\"|/\\*|\\*/|\\\\|;|\\$|\\$\\$|a|\n){0,20}") {
        let quoted = body.replace('\'', "''");
        let text = format!(
            "--\n-- Name: f(); Type: FUNCTION; Schema: s; Owner: o\n--\n\nCREATE FUNCTION s.f() AS '{quoted}';\n\n\
             --\n-- Name: FUNCTION f(); Type: COMMENT; Schema: s; Owner: o\n--\n\nCOMMENT ON FUNCTION s.f() IS $rovodev${body}$rovodev$;\n"
        );
        let dump = parse(&text);
        prop_assert_eq!(dump.entries.len(), 2);
        prop_assert_eq!(joined(&dump), text);
    }
}
