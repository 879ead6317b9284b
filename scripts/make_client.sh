#!/bin/sh
# Generates a typed Python client from the API's own description. Usage: scripts/make_client.sh [folder] [version]
set -e
cd "$(dirname "$0")/.."

folder=${1:-var/client}
version=${2:-2.0}
python=.venv/bin/python

mkdir -p "$folder"
$python manage.py spectacular --api-version "$version" --format openapi-json --file "$folder/openapi.json"
cat > "$folder/config.yml" <<'CONFIG'
project_name_override: hms-client
package_name_override: hms_client
literal_enums: true
post_hooks: []
CONFIG
.venv/bin/openapi-python-client generate --path "$folder/openapi.json" --config "$folder/config.yml" \
    --meta none --output-path "$folder/hms_client" --overwrite --fail-on-warning
touch "$folder/hms_client/py.typed"
echo "A client of version $version is in $folder/hms_client."
