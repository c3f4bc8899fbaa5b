#!/bin/sh
# Makes the degraded versions in photos/ from their originals: photograph, operator, severity 0…4.
set -e
cd "$(dirname "$0")"
while IFS='|' read -r photo operator severity; do
    python degrade.py "photos/$photo.jpg" "$operator" "$severity" "photos/${photo}_$(echo "$operator" | tr ' ' '-').jpg"
done <<LIST
astronaut|gaussian blur|3.5
brick|lens blur|3
cameraman|over-sharpen|3.5
cat|white noise|4
coffee|JPEG|3.5
deep_field|JPEG 2000|4
flower|non-linear contrast|3.5
grass|pixelate|4
gravel|impulse noise|4
hopper|multiplicative noise|4
rocket|motion blur|4
temple|darken|4
LIST
