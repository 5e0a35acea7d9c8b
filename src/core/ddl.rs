//! Reads the plain SQL of `pg_dump --schema-only` and cuts it into the entries that pg_dump announces in comments
//! (`-- Name: …; Type: …; Schema: …; Owner: …`).

mod catalog;
mod filter;
mod kind;
pub mod lexer;
mod references;
pub mod secrets;
pub mod statement;

pub use catalog::without_catalog;
pub use filter::Filter;
pub use kind::Kind;

use crate::core::ident::QName;
use lexer::{Token, tokens};

/// Text before the first entry, and the entries; joined they are the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Dump {
    /// Settings of pg_dump's own session. They are not run: ours are pinned, and older targets lack some.
    pub preamble: String,
    pub entries: Vec<Entry>,
}

/// One definition, with what belongs to it (owner, replica identity, cluster mark).
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub kind: Kind,
    /// As in the header: `TABLE`, `FK CONSTRAINT`, …
    pub type_name: String,
    pub schema: Option<String>,
    /// As in the header: `calls`, `calls calls_pkey`, `TABLE calls`.
    pub name: String,
    pub owner: Option<String>,
    /// The table that it defines or belongs to, where the SQL names one.
    pub table: Option<QName>,
    /// What to run, without comments, psql commands and session settings.
    pub statements: Vec<String>,
    /// Of a table; none is the target's default. Tablespaces are places on the source's disks and left out.
    pub access_method: Option<String>,
    /// Everything from the header on, as it stood in the input.
    pub text: String,
}

impl Entry {
    /// All statements as one text.
    pub fn sql(&self) -> String {
        self.statements.join("\n")
    }

    /// The table that a foreign key refers to.
    pub fn references(&self) -> Option<QName> {
        filter::references(self)
    }

    /// Of a foreign key, for people: `calls_user_fkey of public.calls to auth.users`.
    pub fn key_to(&self) -> Option<String> {
        let constraint = statement::word_after(self.statements.first()?, "CONSTRAINT")?;
        let (table, references) = (self.table.as_ref()?, self.references()?);
        Some(format!("{constraint} of {table} to {references}"))
    }

    /// For people: `TABLE public.calls`.
    pub fn label(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{} {schema}.{}", self.type_name, self.name),
            // The name of a user mapping begins with its type.
            None if self.name.starts_with(&self.type_name) => self.name.clone(),
            None => format!("{} {}", self.type_name, self.name),
        }
    }
}

/// Cuts a dump into its entries.
pub fn parse(sql: &str) -> Dump {
    let cuts = header_positions(sql);
    let first = cuts.first().map_or(sql.len(), |cut| cut.start);
    let mut access_method = None;
    let mut entries = Vec::with_capacity(cuts.len());
    for (i, cut) in cuts.iter().enumerate() {
        let end = cuts.get(i + 1).map_or(sql.len(), |next| next.start);
        let text = &sql[cut.start..end];
        let mut entry = cut.header.entry(text);
        entry.access_method.clone_from(&access_method);
        // pg_dump writes these before the entry that needs them, which is after the entry before.
        for statement in statement::split(text) {
            if statement::setting(&statement, "default_tablespace").is_some() {
                continue;
            }
            if let Some(value) = statement::setting(&statement, "default_table_access_method") {
                access_method = Some(value.to_string());
            } else {
                entry.statements.push(statement);
            }
        }
        entry.table = entry.find_table();
        entries.push(entry);
    }
    Dump {
        preamble: sql[..first].to_string(),
        entries,
    }
}

struct Cut<'a> {
    start: usize,
    header: Header<'a>,
}

/// A header is `--`, `-- Name: …`, `--` on lines of their own, outside of any quoting.
fn header_positions(sql: &str) -> Vec<Cut<'_>> {
    let (mut cuts, mut at, mut frame) = (Vec::new(), 0, None);
    for (token, text) in tokens(sql) {
        let line_start = at == 0 || sql.as_bytes()[at - 1] == b'\n';
        if token == Token::LineComment && line_start {
            match (frame, Header::parse(text)) {
                (Some(start), Some(header)) => {
                    cuts.push(Cut { start, header });
                    frame = None;
                }
                _ => frame = (text == "--").then_some(at),
            }
        } else if text != "\n" {
            frame = None;
        }
        at += text.len();
    }
    cuts
}

struct Header<'a> {
    name: &'a str,
    type_name: &'a str,
    schema: &'a str,
    owner: &'a str,
}

impl<'a> Header<'a> {
    /// Read from the right, since names come first and may hold anything but a newline.
    fn parse(line: &'a str) -> Option<Self> {
        let line = line.strip_prefix("-- Name: ")?;
        let (line, owner) = line.rsplit_once("; Owner: ")?;
        let (line, schema) = line.rsplit_once("; Schema: ")?;
        let (name, type_name) = line.rsplit_once("; Type: ")?;
        let owner = owner.split("; Tablespace: ").next()?;
        Some(Self {
            name,
            type_name,
            schema,
            owner,
        })
    }

    fn entry(&self, text: &str) -> Entry {
        let named = |value: &str| (!matches!(value, "-" | "")).then(|| value.to_string());
        Entry {
            kind: Kind::parse(self.type_name),
            type_name: self.type_name.to_string(),
            schema: named(self.schema),
            name: self.name.to_string(),
            owner: named(self.owner),
            table: None,
            statements: Vec::new(),
            access_method: None,
            text: text.to_string(),
        }
    }
}

impl Entry {
    fn find_table(&self) -> Option<QName> {
        let first = self.statements.first()?;
        match self.kind {
            Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable => {
                Some(QName::new(self.schema.clone()?, self.name.clone()))
            }
            Kind::TableAttach => statement::name_after(first, "PARTITION"),
            Kind::SequenceOwnedBy => statement::name_after(first, "BY"),
            // An identity column's sequence is made by altering its table.
            Kind::Sequence => first
                .starts_with("ALTER TABLE")
                .then(|| statement::relation(first))?,
            Kind::Default
            | Kind::CheckConstraint
            | Kind::Constraint
            | Kind::ForeignKey
            | Kind::Index
            | Kind::Trigger
            | Kind::Policy
            | Kind::RowSecurity => statement::relation(first),
            // A view that needs a key of its table comes as the rule that it is inside.
            Kind::Rule if first.starts_with("CREATE OR REPLACE VIEW") => {
                statement::name_after(first, "VIEW")
            }
            Kind::Rule => statement::name_after(first, "TO"),
            Kind::PublicationTable => statement::relation(first)
                .or_else(|| statement::name_after(first, "ONLY"))
                .or_else(|| statement::name_after(first, "TABLE")),
            Kind::Statistics => statement::name_after_last(first, "FROM"),
            Kind::Acl | Kind::Comment | Kind::SecurityLabel => self.annotated_table(),
            _ => None,
        }
    }

    /// `TABLE x`, `COLUMN x.y` in the name of a comment or a grant.
    fn annotated_table(&self) -> Option<QName> {
        let (what, name) = self.name.split_once(' ')?;
        let schema = self.schema.clone()?;
        match what {
            "TABLE" | "VIEW" | "SEQUENCE" => Some(QName::new(schema, name)),
            "MATERIALIZED" => Some(QName::new(schema, name.strip_prefix("VIEW ")?)),
            "FOREIGN" => Some(QName::new(schema, name.strip_prefix("TABLE ")?)),
            "COLUMN" => {
                let first = self.statements.first()?;
                statement::name_after(first, "COLUMN").or_else(|| statement::relation(first))
            }
            "CONSTRAINT" | "TRIGGER" | "POLICY" | "RULE" => {
                statement::relation(self.statements.first()?)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
