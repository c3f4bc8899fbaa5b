#!/usr/bin/env bash
# Run the whole program over the example photographs and keep everything it prints and writes.
#
#     tests/golden/make.sh OUT [CHECKOUT] [texts|light|all]
#
# CHECKOUT is the code to run (default: the one this file is in). It is copied, with its models and photographs, to one
# fixed path, so that two checkouts print the same paths. OUT gets, for each case, NAME.out, NAME.err and NAME.code, and
# under files/ all that the cases wrote. `texts` runs only the cases that compute nothing (15 s), `light` also those that
# need no PyTorch (1 min), `all` everything (2 min).
# PYTHON names the interpreter. Compare two results with tests/golden/compare.py.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
checkout=$(cd "${2:-$here/../..}" && pwd)
part=${3:-all}
python=$(command -v "${PYTHON:-python}")
root=${GOLDEN_ROOT:-/tmp/shamisa-golden}

exec 9>"$root.lock"
flock 9
rm -rf "$root" "$out"
mkdir -p "$root/program" "$root/home" "$root/work" "$out"
cp -r "$checkout/shamisa_cli" "$checkout/weights" "$root/program/"
cp "$checkout/pyproject.toml" "$root/program/"
cp -r "$checkout/examples/photos" "$root/work/photos"
find "$root/program" -name __pycache__ -prune -exec rm -rf {} +
find "$root/program" "$root/work" -exec touch -d 2024-01-01T00:00:00Z {} +
umask 022
cd "$root/work"

unset "${!SHAMISA_@}" "${!HF_@}" GITHUB_STEP_SUMMARY GITHUB_WORKSPACE CI XDG_CACHE_HOME FORCE_COLOR || true
export SHAMISA_CACHE=0 NO_COLOR=1 COLUMNS=100 OMP_NUM_THREADS=1 TZ=UTC LC_ALL=C.UTF-8 TERM=dumb HOME="$root/home"
unset PYTHONDONTWRITEBYTECODE
export PYTHONPATH="$root/program" PYTHONPYCACHEPREFIX="$root/bytecode" HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES=

run() { # NAME COMMAND...: keep what it prints; standard input is empty unless given
    local name=$1 code=0
    shift
    "$@" >"$out/$name.out" 2>"$out/$name.err" || code=$?
    echo $code >"$out/$name.code"
}
shamisa() { "$python" -m shamisa_cli "$@" </dev/null; }
served() { "$python" -m shamisa_cli serve "$@" <requests.jsonl; }
light() { [ "$part" != texts ]; }
torch() { [ "$part" = all ]; }

# --- what is read ------------------------------------------------------------------------------------------------
mkdir few pairs_a pairs_b broken
cp -p photos/cat.jpg photos/cat_white-noise.jpg photos/coffee.jpg photos/coffee_JPEG.jpg photos/flower.jpg few
cp -p photos/cat.jpg photos/coffee.jpg pairs_a
cp -p photos/cat_white-noise.jpg pairs_b/cat.jpg
cp -p photos/coffee_JPEG.jpg pairs_b/coffee.jpg
cp -p photos/cat.jpg broken
printf 'not an image' >broken/torn.jpg
touch -d 2024-01-01T00:00:00Z broken/torn.jpg
"$python" - <<'PYTHON'
from pathlib import Path

rows = ["image,mos,kind"]
for number, path in enumerate(sorted(Path("photos").glob("*.jpg"))):
    rows.append(f"photos/{path.name},{1 + (number * 37 % 41) / 10},{'degraded' if '_' in path.name else 'pristine'}")
Path("mos.csv").write_text("\n".join(rows) + "\n")
PYTHON
cat >requests.jsonl <<'REQUESTS'
{"path": "photos/cat.jpg", "id": 1}
{"path": "broken/torn.jpg", "id": "two"}
this is not JSON
REQUESTS
cat >settings.toml <<'SETTINGS'
projector_hidden = 32
projector_out = 16
schedule = "constant"
[batch]
crop = 32
photos = 2
scales = 1
compositions = 2
levels = 2
SETTINGS
cat >relational.toml <<'SETTINGS'
[batch]
sets = 1
versions = 2
crop = 64
SETTINGS

# --- help --------------------------------------------------------------------------------------------------------
run help shamisa --help
for command in score cull compare rank embed fit-probe evaluate fit-defects train serve config; do
    run "help-$command" shamisa $command --help
done
for group in "models list" "models show" "models pull" "models push" "models export" "models derive" "cache info" \
    "cache clear"; do
    run "help-${group/ /-}" shamisa $group --help
done
run version shamisa --version
run unknown-option shamisa score --no-such-option
run unknown-model shamisa score few --model nothing

# --- settings ----------------------------------------------------------------------------------------------------
mkdir project
cat >project/shamisa.toml <<'SETTINGS'
model = "shamisa-lite0"
[gate]
min-score = 30
[[gate.rules]]
files = "*_*.jpg"
min-score = 10
SETTINGS
run config-text env -C project "$python" -m shamisa_cli config
run config-json env -C project "$python" -m shamisa_cli config -f json
run score-nowhere shamisa score nowhere.jpg

# --- what needs no PyTorch ---------------------------------------------------------------------------------------
if light; then
    for format in text json jsonl csv junit github sarif; do
        run "score-$format" shamisa score few -f $format --min-score 40
    done
    run score-parquet shamisa score few -o s.parquet
    run score-parquet-resumed shamisa score photos -o s.parquet
    run score-baseline-written shamisa score few --baseline b.json --update-baseline
    run score-baseline shamisa score few --baseline b.json --max-drop 5
    run score-part shamisa score photos --shard 2/3 -o parts
    run score-unreadable shamisa score broken
    run score-unreadable-json shamisa score broken -f json --skip-unreadable
    run score-sorted shamisa score few --format csv --sort score
    run score-fast shamisa score few -f json --model shamisa-lite0 --view-size 200
    run score-html shamisa score few broken --html page.html
    run score-cached env SHAMISA_CACHE=1 "$python" -m shamisa_cli score few -f json --cache-dir cache
    run score-cached-again env SHAMISA_CACHE=1 "$python" -m shamisa_cli score few -f json --cache-dir cache
    run cache-info shamisa cache info --json --cache-dir cache
    run cache-clear shamisa cache clear --cache-dir cache
    run embed-parquet shamisa embed photos -o f.parquet
    run embed-npz shamisa embed photos -o f.npz
    run embed-npz-resumed shamisa embed photos -o f.npz
    run embed-safetensors shamisa embed photos -o f.safetensors
    run embed-part shamisa embed photos --shard 1/3 -o feature-parts
    run serve served

    # probes
    run fit-probe shamisa fit-probe --mos mos.csv -o probe
    run fit-probe-features shamisa fit-probe --mos mos.csv -o probe-features --features f.npz --subset-column kind
    run fit-probe-lower shamisa fit-probe --mos mos.csv -o probe-lower --features f.npz --lower-is-better --spacing linear
    run score-probe shamisa score few -f json --probe probe
    run evaluate-text shamisa evaluate --mos mos.csv --subset-column kind
    run evaluate-json shamisa evaluate --mos mos.csv -f json

    # models
    run models-list shamisa models list
    run models-list-json shamisa models list --json
    for model in shamisa-lite2 shamisa-lite0 shamisa-relational; do
        run "models-show-$model" shamisa models show $model
        run "models-show-$model-json" shamisa models show $model --json
    done
    run config-score env -C project "$python" -m shamisa_cli score ../few
fi

# --- what needs PyTorch ------------------------------------------------------------------------------------------
if torch; then
    run score-torch shamisa score few --runtime torch -f json
    run score-maps shamisa score few --html page-maps.html --maps maps
    run fit-probe-ordinal shamisa fit-probe --mos mos.csv -o probe-ordinal --ordinal few
    cp -rp "$root/program/weights/shamisa-lite0" copy
    run fit-defects shamisa fit-defects --model copy --data few --versions 4
    run models-derive shamisa models derive shamisa-lite2 -o derived --view-size 160 --stages 3-10
    run models-export shamisa models export derived --json
    run compare-text shamisa compare photos/cat.jpg photos/cat_white-noise.jpg --maps cm
    run compare-json shamisa compare photos/cat.jpg photos/cat_white-noise.jpg photos/coffee.jpg -f json
    run compare-csv shamisa compare photos/cat.jpg photos/cat_white-noise.jpg -f csv
    run compare-folders shamisa compare pairs_a pairs_b -f jsonl
    run compare-gate shamisa compare photos/cat.jpg photos/cat_white-noise.jpg --min-score -5
    run rank-text shamisa rank photos/coffee.jpg photos/coffee_JPEG.jpg
    run rank-json shamisa rank photos/coffee.jpg photos/coffee_JPEG.jpg -f json
    run rank-csv shamisa rank photos/coffee.jpg photos/coffee_JPEG.jpg photos/cat.jpg --resize -f csv
    easy="--init none --steps 4 --workers 0 --device cpu --checkpoint-every 2"
    run train shamisa train --data few -o run --config settings.toml --preview sheet.png $easy
    run train-relational shamisa train --task relational --data few -o run-relational --config relational.toml \
        --preview relational-sheet.png $easy
    run train-resumed shamisa train -o run --resume
    run api "$python" - <<'PYTHON'
import shamisa_cli as shamisa

print(sorted({"JobSettings", "ShamisaScore", "TensorScorer", "compare", "embed", "load_model", "open_parts", "rank",
              "run_on_ray", "score", "score_map", "__version__"} - set(dir(shamisa))))
model = shamisa.load_model("shamisa-lite0")
for record in shamisa.score(["few"], model=model):
    print(record.path, record.score, record.interval, record.defects)
for record in shamisa.score(["broken"], model=model):
    print(record.path, record.error)
features = shamisa.embed(["few"], model=model)
print(features.dtype, features.shape, float(features.sum()))
result = shamisa.score_map("few/cat.jpg", model=model)
print(result.points.shape, float(result.points.sum()))
for candidate in shamisa.compare("few/cat.jpg", ["few/cat_white-noise.jpg"]).candidates:
    print(candidate.path, candidate.score, candidate.groups)
for ranked in shamisa.rank(["few/coffee.jpg", "few/coffee_JPEG.jpg"]).pictures:
    print(ranked.path, ranked.score)
import torch

scorer = shamisa.TensorScorer()
print(scorer(torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)).tolist())
metric = shamisa.ShamisaScore()
metric.update(torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64))
print(float(metric.compute()))
print(shamisa.JobSettings("scores"), shamisa.run_on_ray.__name__)
PYTHON
fi

mkdir "$out/files"
rm -rf photos few pairs_a pairs_b broken cache
cp -r . "$out/files/"
