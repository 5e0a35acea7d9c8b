//! What an entry makes and what it needs of others. Dumps qualify every name, since their `search_path` is empty.

use super::lexer::Token;
use super::statement::{name, qualified, significant};
use super::{Entry, Kind, statement};
use crate::core::ident::QName;
use std::collections::BTreeSet;

impl Entry {
    /// The object by which others may name what this entry makes.
    pub fn makes(&self) -> Option<QName> {
        let first = self.statements.first()?;
        match self.kind {
            Kind::Function => names(first).into_iter().next(),
            Kind::Constraint | Kind::ForeignKey => Some(QName::new(
                self.schema.clone()?,
                statement::word_after(first, "CONSTRAINT")?,
            )),
            Kind::Type
            | Kind::Table
            | Kind::ForeignTable
            | Kind::View
            | Kind::MaterializedView
            | Kind::Sequence
            | Kind::Index
            | Kind::Statistics
            | Kind::Other => Some(QName::new(self.schema.clone()?, self.name.clone())),
            _ => None,
        }
    }

    /// Every object that its statements name, itself and the server's own left out.
    pub fn needs(&self) -> BTreeSet<QName> {
        let own = self.makes();
        let is_other = |q: &QName| {
            Some(q) != own.as_ref() && q.schema != "pg_catalog" && q.schema != "information_schema"
        };
        let all = self.statements.iter().flat_map(|s| names(s));
        all.filter(is_other).collect()
    }
}

/// The qualified names of a statement in their order, those of `'schema.name'::regclass` included. `alias.column` is
/// none: what stands as an alias in the statement is taken for no schema, except before an alias or a call's `(`.
fn names(statement: &str) -> Vec<QName> {
    let words = significant(statement);
    let (mut found, mut aliases) = (Vec::new(), BTreeSet::from(["old".into(), "new".into()]));
    let mut at = 0;
    while at < words.len() {
        if let Some(pair) = pair_at(&words, at) {
            aliases.insert(pair.name.clone());
            at += 3;
            let next = words.get(at);
            let is_object = next.is_some_and(|w| w.0 == Token::QuotedName || w.1 == "(");
            found.push((pair, is_object));
            // A column of it.
            while words.get(at).is_some_and(|w| w.1 == ".") {
                at += 2;
            }
            continue;
        }
        if is_alias(&words, at) {
            aliases.extend(name(words[at]));
        }
        found.extend(registered(&words, at).map(|name| (name, true)));
        at += 1;
    }
    let objects = found.into_iter();
    let objects = objects.filter(|(q, is_object)| *is_object || !aliases.contains(&q.schema));
    objects.map(|(q, _)| q).collect()
}

fn pair_at(words: &[(Token, &str)], at: usize) -> Option<QName> {
    let is_number = |w: &&str| w.starts_with(|c: char| c.is_ascii_digit());
    if words.get(at..at + 3)?.iter().map(|w| &w.1).any(is_number) {
        return None;
    }
    qualified(&words[at..])
}

/// A name that follows a relation, a parenthesis or `AS`.
fn is_alias(words: &[(Token, &str)], at: usize) -> bool {
    let named = matches!(words[at].0, Token::QuotedName | Token::Word);
    let before = at.checked_sub(1).and_then(|i| words.get(i));
    named
        && before.is_some_and(|(token, text)| {
            *token == Token::QuotedName || matches!(*text, ")" | "AS" | "ORDINALITY")
        })
}

/// The name in `'"schema"."name"'::regclass`.
fn registered(words: &[(Token, &str)], at: usize) -> Option<QName> {
    let [(Token::Text, text), (_, ":"), (_, ":"), kind, ..] = words.get(at..)? else {
        return None;
    };
    if name(*kind)? != "regclass" {
        return None;
    }
    let inner = text
        .strip_prefix('\'')?
        .strip_suffix('\'')?
        .replace("''", "'");
    pair_at(&significant(&inner), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(statement: &str) -> Vec<String> {
        names(statement).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_what_is_named_and_no_columns() {
        let table = r#"CREATE TABLE "app"."t" ("id" integer DEFAULT "nextval"('"other"."s"'::"regclass"), "e" "app"."mood" DEFAULT 'a.b'::"app"."mood", "n" numeric DEFAULT 1.5) INHERITS ("app"."p");"#;
        let all = ["app.t", "other.s", "app.mood", "app.mood", "app.p"];
        assert_eq!(told(table), all);
        let view = r#"CREATE VIEW "app"."v" AS
 SELECT "t"."id", "x"."n", EXTRACT(year FROM "x"."at") AS "year", "sub"."a" FROM (("app"."t"
     JOIN "public"."u" "x" ON (("x"."id" = "t"."id"))) JOIN ( SELECT 1 AS "a") "sub" ON (("app"."f"("sub"."a") IS DISTINCT FROM "x"."n")));"#;
        assert_eq!(told(view), ["app.v", "app.t", "public.u", "app.f"]);
        let shadowed = r#"CREATE VIEW "app"."v" AS SELECT "public"."id" FROM "public"."u" "public" WHERE "public"."f"("public"."id");"#;
        assert_eq!(told(shadowed), ["app.v", "public.u", "public.f"]);
        let trigger = r#"CREATE TRIGGER "x" BEFORE UPDATE ON "app"."t" FOR EACH ROW WHEN (("old"."a" IS DISTINCT FROM "new"."a")) EXECUTE FUNCTION "public"."touch"();"#;
        assert_eq!(told(trigger), ["app.t", "public.touch"]);
        let comment = r#"COMMENT ON COLUMN "app"."t"."id" IS 'see public.u';"#;
        assert_eq!(told(comment), ["app.t"]);
    }
}
