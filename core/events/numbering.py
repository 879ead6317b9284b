"""What PostgreSQL does with events as a transaction commits: it numbers them in the order of commits, and says so once.

Two steps. A deferred trigger on the outbox writes down, once for each transaction and clinic, that there is something to number.
The trigger of that row is queued behind all others that the transaction still has to run, so no check of a reference can wait for
another transaction once it holds the lock under which numbers are given. That lock is held until the commit is visible: whoever
sees a number sees all smaller ones.
"""

CHANNEL = "hms_live"
MANY = 100  # rows that a transaction changed past the services, from which on one event stands for all others

NUMBERING = f"""
CREATE SEQUENCE core_domainevent_position_seq;
-- Empty but for what runs at this moment; its column is not called clinic_id, for nobody but these functions may read it.
CREATE UNLOGGED TABLE core_eventturn (xid bigint NOT NULL, clinic uuid NOT NULL, PRIMARY KEY (xid, clinic));
REVOKE ALL ON core_eventturn FROM hms_app, hms_platform;

CREATE FUNCTION public.hms_event_turn() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
BEGIN
    INSERT INTO core_eventturn (xid, clinic) VALUES ((pg_current_xact_id()::text)::bigint, NEW.clinic_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$body$;

CREATE FUNCTION public.hms_number_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    scope text := coalesce(current_setting('hms.clinic_id', true), '');
    newest bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('core_domainevent'), 0);
    PERFORM set_config('hms.clinic_id', NEW.clinic::text, true);
    WITH numbered AS MATERIALIZED (
        SELECT own.id, nextval('core_domainevent_position_seq') AS position
        FROM (
            SELECT id FROM core_domainevent
            WHERE clinic_id = NEW.clinic AND xid = NEW.xid AND position IS NULL ORDER BY seq OFFSET 0
        ) own
    ), given AS (
        UPDATE core_domainevent e SET position = n.position FROM numbered n WHERE e.id = n.id RETURNING e.position
    )
    SELECT max(position) INTO newest FROM given;
    DELETE FROM core_eventturn WHERE xid = NEW.xid AND clinic = NEW.clinic;
    PERFORM set_config('hms.clinic_id', scope, true);
    IF newest IS NOT NULL THEN
        PERFORM pg_notify('{CHANNEL}', NEW.clinic::text || ' ' || newest::text);
    END IF;
    RETURN NULL;
END
$body$;

CREATE CONSTRAINT TRIGGER hms_event_turn AFTER INSERT ON core_domainevent
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.hms_event_turn();
CREATE CONSTRAINT TRIGGER hms_number_events AFTER INSERT ON core_eventturn
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.hms_number_events();
"""

DROP_NUMBERING = """
DROP TRIGGER hms_event_turn ON core_domainevent;
DROP TABLE core_eventturn;
DROP FUNCTION public.hms_number_events();
DROP FUNCTION public.hms_event_turn();
DROP SEQUENCE core_domainevent_position_seq;
"""

# One for each live table. `told` counts what the transaction has said about this row, or about all rows of the clinic.
LIVE_FUNCTION = """
CREATE OR REPLACE FUNCTION public."hms_live_{table}"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    r public."{table}" := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    was public."{table}" := CASE WHEN TG_OP = 'INSERT' THEN NEW ELSE OLD END;
    scope text := coalesce(current_setting('hms.clinic_id', true), '');
    told bigint;
    told_of_others bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('hms.clinic_id', r.clinic_id::text, true);
    SELECT count(*) FILTER (WHERE about_id IN (r.id, r.clinic_id)), count(*) INTO told, told_of_others
    FROM core_domainevent
    WHERE clinic_id = r.clinic_id AND xid = (pg_current_xact_id()::text)::bigint AND about = '{about}';
    IF told = 0 AND told_of_others < {many} THEN
        INSERT INTO core_domainevent (id, clinic_id, name, schema, about, about_id, data, at)
        VALUES (gen_random_uuid(), r.clinic_id, '{name}', {version}, '{about}', r.id, jsonb_build_object({row}), now());
    ELSIF told = 0 THEN
        INSERT INTO core_domainevent (id, clinic_id, name, schema, about, about_id, data, at)
        VALUES (gen_random_uuid(), r.clinic_id, '{name}', {version}, '{about}', r.clinic_id, jsonb_build_object({nothing}), now());
    END IF;
    PERFORM set_config('hms.clinic_id', scope, true);
    RETURN NULL;
END
$body$
"""
LIVE_TRIGGER = """
CREATE CONSTRAINT TRIGGER "hms_live" AFTER INSERT OR UPDATE OR DELETE ON "{table}"
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public."hms_live_{table}"()
"""
