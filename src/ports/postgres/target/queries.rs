//! The queries on the catalogs; `$1` is an array of the tables' OIDs.

/// Tables by name (`$1` schemas, `$2` names), and what partitions each of them has.
pub(super) const FIND: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind, \
     ARRAY(SELECT mn.nspname::text FROM pg_partition_tree(c.oid) t JOIN pg_class m ON m.oid = t.relid \
           JOIN pg_namespace mn ON mn.oid = m.relnamespace WHERE c.relkind = 'p' AND t.isleaf ORDER BY m.oid), \
     ARRAY(SELECT m.relname::text FROM pg_partition_tree(c.oid) t JOIN pg_class m ON m.oid = t.relid \
           WHERE c.relkind = 'p' AND t.isleaf ORDER BY m.oid), \
     EXISTS (SELECT FROM pg_partition_tree(c.oid) t JOIN pg_class m ON m.oid = t.relid WHERE c.relkind = 'p' AND m.relkind = 'f') \
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
     AND (n.nspname, c.relname) IN (SELECT s, t FROM unnest($1::text[], $2::text[]) w(s, t))";

pub(super) const TABLES: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p', row_security_active(c.oid), \
     ARRAY(SELECT r FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) r WHERE NOT has_table_privilege(c.oid, r)) \
     || ARRAY(SELECT 'USAGE of schema ' || n.nspname WHERE NOT has_schema_privilege(n.oid, 'USAGE')) \
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1) ORDER BY 1";

pub(super) const COLUMNS: &str = "SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
     a.atthasdef OR a.attidentity <> '' OR (t.typtype = 'd' AND t.typdefault IS NOT NULL), a.attgenerated <> '', a.attidentity = 'a', \
     CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END \
   FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
   LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
   WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

/// What adding a column gave the rows that a table (`$1`) or its partitions held, for columns added without a rewrite.
pub(super) const GIVEN: &str = "SELECT a.attname::text, array_agg(DISTINCT (a.attmissingval::text::text[])[1]) FROM pg_attribute a \
   WHERE (a.attrelid = $1 OR a.attrelid IN (SELECT p.relid::oid FROM pg_partition_tree($1::oid::regclass) p)) \
     AND a.atthasmissing AND a.attmissingval IS NOT NULL AND NOT a.attisdropped GROUP BY 1";

/// Primary keys with the equality of each column's operator class.
pub(super) const KEYS: &str = "SELECT i.indrelid, a.attname::text, format('OPERATOR(%I.%s)', n.nspname, o.oprname) \
   FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree' \
   CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY k(num, class, place) \
   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num \
   JOIN pg_opclass c ON c.oid = k.class \
   JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amopstrategy = 3 \
        AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype \
   JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace \
   WHERE i.indrelid = ANY($1) AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY i.indrelid, k.place";

/// Columns whose change may collide on its way, or move the row to another partition.
pub(super) const SPECIAL: &str = "SELECT DISTINCT t.unit, a.attname::text FROM (\
       SELECT c.oid AS unit, c.oid AS member FROM pg_class c WHERE c.oid = ANY($1) \
       UNION SELECT c.oid, p.relid::oid FROM pg_class c CROSS JOIN LATERAL pg_partition_tree(c.oid) p \
             WHERE c.oid = ANY($1) AND c.relkind = 'p') t \
   JOIN pg_attribute a ON a.attrelid = t.member AND a.attnum > 0 \
   WHERE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.member AND (i.indisunique OR i.indisexclusion) \
       AND (a.attnum = ANY(i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
            AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.member \
            AND d.refobjsubid = a.attnum))) \
     OR EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = t.member \
       AND (a.attnum = ANY(p.partattrs::int2[]) OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
            AND d.objid = t.member AND d.objsubid = 0 AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.member \
            AND d.refobjsubid = a.attnum))) \
   ORDER BY 1, 2";

/// Each member of a partition tree: its file, its indexes, and whether the server would refuse to publish a change.
pub(super) const MEMBERS: &str = "SELECT t.unit, m.oid, coalesce(pg_relation_filenode(m.oid), 0), n.nspname::text, m.relname::text, \
     (SELECT count(*) FROM pg_index i WHERE i.indrelid = m.oid)::int, \
     m.relkind = 'r' AND m.relpersistence = 'p' AND (m.relreplident = 'n' \
       OR m.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisprimary) \
       OR m.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisreplident)) \
     AND (m.oid = ANY(p.relations) OR EXISTS (SELECT FROM pg_partition_ancestors(m.oid) a WHERE a.relid::oid = ANY(p.relations))) \
   FROM (SELECT c.oid AS unit, c.oid AS member FROM pg_class c WHERE c.oid = ANY($1) \
         UNION SELECT c.oid, p.relid::oid FROM pg_class c CROSS JOIN LATERAL pg_partition_tree(c.oid) p \
               WHERE c.oid = ANY($1) AND c.relkind = 'p') t \
   JOIN pg_class m ON m.oid = t.member JOIN pg_namespace n ON n.oid = m.relnamespace \
   CROSS JOIN (SELECT coalesce(array_agg(pc.oid), '{}') AS relations FROM pg_publication pp \
       JOIN pg_publication_tables pt ON pt.pubname = pp.pubname \
       JOIN pg_namespace pn ON pn.nspname = pt.schemaname JOIN pg_class pc ON pc.relnamespace = pn.oid AND pc.relname = pt.tablename \
       WHERE pp.pubupdate OR pp.pubdelete) p \
   ORDER BY 1, 2";

pub(super) const CHECKS: &str = "SELECT k.conrelid, k.conname::text, pg_get_expr(k.conbin, k.conrelid), \
     ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey)) \
   FROM pg_constraint k WHERE k.contype = 'c' AND k.conrelid = ANY($1) ORDER BY 1, 2";

pub(super) const TRIGGERS: &str = "WITH t AS (SELECT c.oid AS unit, c.oid AS member FROM pg_class c WHERE c.oid = ANY($1) \
       UNION SELECT c.oid, p.relid::oid FROM pg_class c CROSS JOIN LATERAL pg_partition_tree(c.oid) p \
             WHERE c.oid = ANY($1) AND c.relkind = 'p') \
   SELECT t.unit, n.nspname::text, m.relname::text, e.name, e.enabled, e.is_rule, pg_has_role(m.relowner, 'USAGE') \
   FROM t JOIN pg_class m ON m.oid = t.member JOIN pg_namespace n ON n.oid = m.relnamespace \
   JOIN (SELECT g.tgrelid AS rel, g.tgname::text AS name, g.tgenabled AS enabled, false AS is_rule FROM pg_trigger g \
           WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' \
         UNION ALL SELECT r.ev_class, r.rulename::text, r.ev_enabled, true FROM pg_rewrite r \
           WHERE r.ev_enabled <> 'D' AND r.ev_type <> '1') e ON e.rel = m.oid \
   ORDER BY 1, 2, 3, 4";

/// Keys from and to the tables; of the copies that partitions carry, only those of tables that are merged alone.
pub(super) const FOREIGN_KEYS: &str = "SELECT k.conname::text, k.conrelid, cn.nspname::text, c.relname::text, c.relkind = 'p', \
     k.confrelid, pn.nspname::text, p.relname::text, p.relkind = 'p', \
     ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(num, place) \
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.place), \
     ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(num, place) \
           JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.place), \
     ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname) FROM unnest(k.conpfeqop) WITH ORDINALITY u(op, place) \
           JOIN pg_operator o ON o.oid = u.op JOIN pg_namespace n ON n.oid = o.oprnamespace ORDER BY u.place), \
     k.confmatchtype = 'f', k.convalidated, \
     has_schema_privilege(pn.oid, 'USAGE') AND has_table_privilege(p.oid, 'SELECT') \
       AND (has_any_column_privilege(p.oid, 'UPDATE') OR has_table_privilege(p.oid, 'DELETE')), \
     CASE WHEN p.relkind = 'p' THEN ARRAY(SELECT w FROM unnest($1::oid[]) w \
           WHERE w <> p.oid AND p.oid IN (SELECT a.relid FROM pg_partition_ancestors(w) a)) ELSE '{}' END \
   FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace \
   JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace \
   LEFT JOIN pg_constraint up ON up.oid = k.conparentid \
   WHERE k.contype = 'f' AND (k.conrelid = ANY($1) OR k.confrelid = ANY($1) \
       OR k.confrelid IN (SELECT a.relid::oid FROM unnest($1::oid[]) w CROSS JOIN LATERAL pg_partition_ancestors(w) a)) \
     AND (up.oid IS NULL OR up.conrelid <> k.conrelid AND k.conrelid = ANY($1)) \
   ORDER BY 2, 1, 6";

/// Unique and exclusion constraints that a trigger checks late, which the replica role silences. An expression
/// has no column: its name is null.
pub(super) const DEFERRABLE: &str = "SELECT k.conrelid, k.conname::text, pg_get_expr(i.indpred, i.indrelid), \
     ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(num, place) \
           LEFT JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num AND u.num > 0 \
           WHERE u.place <= i.indnkeyatts ORDER BY u.place), \
     CASE WHEN k.contype = 'x' THEN ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname) \
           FROM unnest(k.conexclop) WITH ORDINALITY u(op, place) JOIN pg_operator o ON o.oid = u.op \
           JOIN pg_namespace n ON n.oid = o.oprnamespace ORDER BY u.place) \
     ELSE ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname) \
           FROM unnest(i.indclass::oid[]) WITH ORDINALITY u(class, place) JOIN pg_opclass c ON c.oid = u.class \
           JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amopstrategy = 3 \
                AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype \
           JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace ORDER BY u.place) END \
   FROM pg_constraint k JOIN pg_index i ON i.indexrelid = k.conindid \
   WHERE k.contype IN ('p', 'u', 'x') AND k.condeferrable AND k.conrelid = ANY($1) ORDER BY 1, 2";

/// Unique indexes beside the primary key, of the table itself: what they hold of a row, the operators that compare it,
/// and the columns that it is made of. Expressions print as the session's `search_path` has it.
pub(super) const UNIQUE: &str = "SELECT i.indrelid, c.relname::text, pg_get_expr(i.indpred, i.indrelid), \
     ARRAY(SELECT pg_get_indexdef(i.indexrelid, place, false) FROM generate_series(1, i.indnkeyatts) place ORDER BY place), \
     ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname) \
           FROM unnest(i.indclass::oid[]) WITH ORDINALITY u(class, place) JOIN pg_opclass k ON k.oid = u.class \
           JOIN pg_amop p ON p.amopfamily = k.opcfamily AND p.amopstrategy = 3 \
                AND p.amoplefttype = k.opcintype AND p.amoprighttype = k.opcintype \
           JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace ORDER BY u.place), \
     ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum > 0 \
           AND (a.attnum = ANY(i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
                AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid \
                AND d.refobjsubid = a.attnum))) \
   FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
   WHERE i.indisunique AND i.indisvalid AND NOT i.indisprimary AND i.indrelid = ANY($1) ORDER BY 1, 2";
