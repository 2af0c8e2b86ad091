#!/usr/bin/env bash
# Writes the folders of this directory with bncli as of commit f1216f8: PYTHONPATH=CHECKOUT ./make.sh PYTHON
set -euo pipefail
bncli() { "$PYTHON" -m bncli "$@"; }
PYTHON=${1:-python}
small="--dataset circles --set n_samples=64 --model dense8 --epochs 2"
bncli train $small --arm batch:before --seeds 2 --out train
bncli sweep lr=0.01,0.1 activation=relu,tanh norm_momentum=0.5,0.9 $small --arms none,batch:before,batch:after,layer:before+center=false --seeds 2 --out sweep
bncli compare --dataset digits --set train_rows=:64 --set val_rows=:64 --model dense8 --epochs 3 --optimizer sgd --lr 1e6 --set init_scale=1e6 --seeds 2 --out diverged
"$PYTHON" failing.py compare $small --arms none,batch:after --seeds 3 --out failed || test $? -eq 1
bncli compare $small --seeds 3 --out shards --shard 1/3
bncli compare $small --seeds 3 --out shards --shard 3/3
bncli compare --dataset flowers.csv --label species --model dense8 --epochs 2 --seeds 2 --out table
bncli verify claims.toml --out verified
bncli sweep --preset claims.toml --seeds 3
