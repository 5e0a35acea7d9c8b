//! What an entry of a dump defines.

/// Kinds that a restore treats apart; pg_dump knows more, which are [`Kind::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Schema,
    Extension,
    Type,
    Function,
    Table,
    ForeignTable,
    TableAttach,
    View,
    MaterializedView,
    Sequence,
    SequenceOwnedBy,
    Default,
    CheckConstraint,
    /// Primary key, unique or exclusion.
    Constraint,
    ForeignKey,
    Index,
    IndexAttach,
    Statistics,
    Trigger,
    Rule,
    Policy,
    RowSecurity,
    Acl,
    DefaultAcl,
    Comment,
    Publication,
    PublicationTable,
    Subscription,
    EventTrigger,
    /// Foreign data wrappers, servers, user mappings.
    ForeignData,
    SecurityLabel,
    Other,
}

impl Kind {
    /// From the word in the entry's header.
    pub fn parse(word: &str) -> Self {
        match word {
            "SCHEMA" => Kind::Schema,
            "EXTENSION" => Kind::Extension,
            "TYPE" | "DOMAIN" | "SHELL TYPE" => Kind::Type,
            "FUNCTION" | "PROCEDURE" | "AGGREGATE" => Kind::Function,
            "TABLE" => Kind::Table,
            "FOREIGN TABLE" => Kind::ForeignTable,
            "TABLE ATTACH" => Kind::TableAttach,
            "VIEW" => Kind::View,
            "MATERIALIZED VIEW" => Kind::MaterializedView,
            "SEQUENCE" => Kind::Sequence,
            "SEQUENCE OWNED BY" => Kind::SequenceOwnedBy,
            "DEFAULT" => Kind::Default,
            "CHECK CONSTRAINT" => Kind::CheckConstraint,
            "CONSTRAINT" => Kind::Constraint,
            "FK CONSTRAINT" => Kind::ForeignKey,
            "INDEX" => Kind::Index,
            "INDEX ATTACH" => Kind::IndexAttach,
            "STATISTICS" => Kind::Statistics,
            "TRIGGER" => Kind::Trigger,
            "RULE" => Kind::Rule,
            "POLICY" => Kind::Policy,
            "ROW SECURITY" => Kind::RowSecurity,
            "ACL" => Kind::Acl,
            "DEFAULT ACL" => Kind::DefaultAcl,
            "COMMENT" => Kind::Comment,
            "PUBLICATION" => Kind::Publication,
            "PUBLICATION TABLE" | "PUBLICATION TABLES IN SCHEMA" => Kind::PublicationTable,
            "SUBSCRIPTION" | "SUBSCRIPTION TABLE" => Kind::Subscription,
            "EVENT TRIGGER" => Kind::EventTrigger,
            "FOREIGN DATA WRAPPER" | "SERVER" | "USER MAPPING" => Kind::ForeignData,
            "SECURITY LABEL" => Kind::SecurityLabel,
            _ => Kind::Other,
        }
    }

    /// Kinds that the platform may already have made, or that only a superuser may make: a restore goes on
    /// without them and says so. Rows never depend on them.
    pub fn may_be_refused(self) -> bool {
        matches!(
            self,
            Kind::Extension
                | Kind::Acl
                | Kind::DefaultAcl
                | Kind::Comment
                | Kind::Publication
                | Kind::PublicationTable
                | Kind::Subscription
                | Kind::EventTrigger
                | Kind::ForeignData
                | Kind::ForeignTable
                | Kind::SecurityLabel
        )
    }

    /// Kinds that may name objects of the platform or of a part that was not chosen, and on which no row depends.
    pub fn may_lead_out(self) -> bool {
        matches!(
            self,
            Kind::View
                | Kind::MaterializedView
                | Kind::Rule
                | Kind::Trigger
                | Kind::Policy
                | Kind::Statistics
                | Kind::ForeignKey
        )
    }
}
