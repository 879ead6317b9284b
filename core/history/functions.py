"""The functions of the database that write history and erase it. They belong to hms_owner, and nobody else may write."""

# Old and new rows as JSON; a row whose id was changed is one that went and one that came. OFFSET 0: each is made once, not for
# every column that is compared (0.2 ms in place of 1.1 for a row of 45 columns).
PAIRS = {
    "INSERT": "SELECT NULL::jsonb AS o, to_jsonb(n) AS n FROM new_rows n",
    "DELETE": "SELECT to_jsonb(o) AS o, NULL::jsonb AS n FROM old_rows o",
    "UPDATE": "SELECT to_jsonb(o) AS o, to_jsonb(n) AS n FROM old_rows o FULL JOIN new_rows n ON o.id = n.id OFFSET 0",
}
# chr(2) is how a sealed text begins (core.keys.sealing.SEALED_TEXT).
# The values are digested with a salt of the row's own: when both are erased, nobody can try out what the values were.
DIGEST = "sha256(uuid_send({row}.salt) || convert_to(jsonb_build_array({row}.old_values, {row}.new_values)::text, 'UTF8'))"
WRITE = """
INSERT INTO public.core_change (
    clinic_id, at, xid, table_name, row_id, operation, actor_id, by_role, request_id, reason,
    old_values, new_values, salt, digest
)
SELECT
    c.clinic_id, now(), pg_current_xact_id()::text::bigint, {table}, c.row_id, c.operation, {actor}, session_user,
    coalesce(left(current_setting('hms.request_id', true), 64), ''),
    coalesce(left(current_setting('hms.reason', true), 300), ''),
    c.old_values, c.new_values, c.salt, {digest}
FROM ({rows}) c
"""
ACTOR = "NULLIF(current_setting('hms.user_id', true), '')::uuid"
ROWS = """
    SELECT
        NULLIF(coalesce(p.n, p.o) ->> TG_ARGV[0], '')::uuid AS clinic_id,
        (coalesce(p.n, p.o) ->> 'id')::uuid AS row_id,
        CASE WHEN p.o IS NULL THEN 'insert' WHEN p.n IS NULL THEN 'delete' ELSE 'update' END AS operation,
        {old} AS old_values,
        {new} AS new_values,
        gen_random_uuid() AS salt
    FROM ({pairs}) p {changed}
"""
# A rotation of keys encrypts the same anew: that is no change. Only bytes may become other bytes unseen, which nobody can read
# who hasn't the key to make them; a text that is sealed (core.keys.sealing) may also become clear, or a clear one sealed, when
# the platform says so, for a clinic marks other fields as protected.
CHANGED = """
    CROSS JOIN LATERAL (
        SELECT
            jsonb_object_agg(e.key, CASE WHEN NOT hidden ? e.key THEN p.o -> e.key END) AS o,
            jsonb_object_agg(e.key, CASE WHEN NOT hidden ? e.key THEN e.value END) AS n
        FROM jsonb_each(p.n) e
        WHERE p.o -> e.key IS DISTINCT FROM e.value AND e.key <> ALL (without)
            AND NOT coalesce(renewing AND (
                left(p.o ->> e.key, 2) = '\\x' AND left(p.n ->> e.key, 2) = '\\x'
                OR session_user = 'hms_platform' AND chr(2) IN (left(p.o ->> e.key, 1), left(p.n ->> e.key, 1))
            ), false)
    ) d
    WHERE p.o IS NULL OR p.n IS NULL OR d.n IS NOT NULL
"""
WHOLE = "(p.{side} - without) || hidden"


def _statement(verb: str) -> str:
    def value(side: str) -> str:
        whole = WHOLE.format(side=side)
        return f"CASE WHEN p.o IS NULL OR p.n IS NULL THEN {whole} ELSE d.{side} END" if verb == "UPDATE" else whole

    rows = ROWS.format(old=value("o"), new=value("n"), pairs=PAIRS[verb], changed=CHANGED if verb == "UPDATE" else "")
    return WRITE.format(table="TG_TABLE_NAME", actor=ACTOR, digest=DIGEST.format(row="c"), rows=rows)


_KEEP = """
CREATE OR REPLACE FUNCTION public.hms_keep_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' AS $body$
DECLARE
    hidden jsonb := TG_ARGV[1];
    without text[] := string_to_array(TG_ARGV[2], ',');
    renewing boolean := coalesce(current_setting('hms.reencrypting', true), '') = 'on';
BEGIN
    IF TG_OP = 'INSERT' THEN
        {insert};
    ELSIF TG_OP = 'DELETE' THEN
        {delete};
    ELSE
        {update};
    END IF;
    RETURN NULL;
END
$body$;
REVOKE EXECUTE ON FUNCTION public.hms_keep_history() FROM PUBLIC;
"""
KEEP = _KEEP.format(**{verb.lower(): _statement(verb) for verb in PAIRS})
ERASED = """
    SELECT of_clinic AS clinic_id, e.row_id, 'erase' AS operation, NULL::jsonb AS old_values,
        jsonb_build_object('changes', e.count) AS new_values, gen_random_uuid() AS salt, e.table_name
    FROM (SELECT g.table_name, g.row_id, count(*) AS count FROM gone g GROUP BY g.table_name, g.row_id) e
"""
_ERASE = """
CREATE OR REPLACE FUNCTION public.hms_erase_history(of_clinic uuid, row_ids uuid[], why text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' AS $body$
DECLARE
    done bigint;
BEGIN
    IF coalesce(why, '') = '' THEN
        RAISE EXCEPTION 'History is erased for a reason.';
    END IF;
    PERFORM set_config('hms.reason', why, true);
    WITH gone AS (
        UPDATE public.core_change c SET old_values = NULL, new_values = NULL, salt = NULL
        WHERE (c.clinic_id = of_clinic OR of_clinic IS NULL AND c.clinic_id IS NULL)
            AND c.row_id = ANY (row_ids) AND c.operation <> 'erase' AND c.salt IS NOT NULL
        RETURNING c.table_name, c.row_id
    ), told AS (
        {tell}
    )
    SELECT count(*) INTO done FROM gone;
    RETURN done;
END
$body$;
REVOKE EXECUTE ON FUNCTION public.hms_erase_history(uuid, uuid[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.hms_erase_history(uuid, uuid[], text) TO hms_maintenance;
"""
ERASE = _ERASE.format(tell=WRITE.format(table="c.table_name", actor=ACTOR, digest=DIGEST.format(row="c"), rows=ERASED))
# Seals values that were kept in clear, of fields that the clinic protects since. They get a new salt, for with the old one and
# the digest that stays they could be tried out; `told` is what the caller, who has the key of the seals, says of the new digest.
PROTECTED = """
    SELECT of_clinic AS clinic_id, e.row_id, 'protect' AS operation, NULL::jsonb AS old_values, e.told AS new_values,
        gen_random_uuid() AS salt, e.table_name
    FROM (SELECT h.table_name, h.row_id, jsonb_object_agg(h.id::text, h.told) AS told FROM done h GROUP BY h.table_name, h.row_id) e
"""
ONLY_SEALS = """(
    SELECT bool_and(coalesce(left(e.value #>> '{{}}', 1) = chr(2) AND left({values} ->> e.key, 1) <> chr(2), false))
    FROM jsonb_each({seals}) e) IS NOT FALSE"""
_PROTECT = """
CREATE OR REPLACE FUNCTION public.hms_protect_history(
    of_clinic uuid, change_ids bigint[], salts uuid[], olds jsonb[], news jsonb[], tolds text[]
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' AS $body$
DECLARE
    count bigint;
BEGIN
    WITH given AS (
        SELECT * FROM unnest(change_ids, salts, olds, news, tolds) AS g (id, salt, o, n, told)
    ), done AS (
        UPDATE public.core_change c SET old_values = c.old_values || g.o, new_values = c.new_values || g.n, salt = g.salt
        FROM given g
        WHERE c.id = g.id AND c.clinic_id = of_clinic AND c.salt IS NOT NULL AND c.operation IN ('insert', 'update', 'delete')
            AND {old} AND {new}
        RETURNING c.id, c.table_name, c.row_id, g.told
    ), noted AS (
        {tell}
    )
    SELECT count(*) INTO count FROM done;
    RETURN count;
END
$body$;
REVOKE EXECUTE ON FUNCTION public.hms_protect_history(uuid, bigint[], uuid[], jsonb[], jsonb[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.hms_protect_history(uuid, bigint[], uuid[], jsonb[], jsonb[], text[]) TO hms_platform;
"""
PROTECT = _PROTECT.format(
    old=ONLY_SEALS.format(values="c.old_values", seals="g.o"),
    new=ONLY_SEALS.format(values="c.new_values", seals="g.n"),
    tell=WRITE.format(table="c.table_name", actor=ACTOR, digest=DIGEST.format(row="c"), rows=PROTECTED),
)
DROP_PROTECT = "DROP FUNCTION public.hms_protect_history(uuid, bigint[], uuid[], jsonb[], jsonb[], text[]);"
# hms_owner: the functions' own right to write. Everybody else only reads, maintenance too.
SHARED = f"""
CREATE POLICY "history" ON core_change TO hms_owner USING (true);
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON core_change FROM hms_app, hms_platform, hms_maintenance;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON core_seal FROM hms_app, hms_platform, hms_maintenance;
GRANT INSERT ON core_seal TO hms_platform;
{KEEP}
{ERASE}
"""
DROP_SHARED = """
DROP FUNCTION public.hms_erase_history(uuid, uuid[], text);
DROP FUNCTION public.hms_keep_history();
DROP POLICY "history" ON core_change;
"""
