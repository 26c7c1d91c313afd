# Two commands do everything: `make quickstart` shows the promise, `make test` proves it.

CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/finial
export CARGO_TARGET_DIR ?= $(CACHE)/target
export FINIAL_VENV ?= $(abspath $(CARGO_TARGET_DIR)/../venv)

.PHONY: help quickstart test conformance peers-containers peers-systemd peers-k8s lint bench soak fuzz fmt proto

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

quickstart: ## a trust domain, two workloads, mutual TLS, a refused stranger, a CA rotation under load
	@deploy/examples/quickstart/run

test: ## everything: set-up, lint, unit, story and interop tests, docs, licences
	@tests/run

peers-k8s: ## pods of a real Kubernetes node fetch their SVIDs and have proxies (as root; a minute, and 10 min to build it at first)
	@tests/peers-k8s/run

peers-containers: ## containers of Docker and Podman fetch their SVIDs (as root; installs both from Debian)
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends docker.io podman runc
	cargo build --locked --quiet --package finial-cli --bin finial
	cargo test --locked --package finial-interop containers

peers-systemd: ## services of a booted systemd fetch their SVIDs (as root; 75 s to set it up at first)
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends debootstrap systemd-container
	tests/interop/systemd/install $(abspath $(CARGO_TARGET_DIR)/../peers/systemd)
	cargo build --locked --quiet --package finial-cli --bin finial --example hello
	cargo test --locked --package finial-interop systemd

lint: ## format, direction of arrows, clippy
	cargo fmt --all --check
	cargo xtask arch
	cargo xtask proto --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

bench: ## speed, as ratios against a primitive or another program in the same run (apt-get install haproxy for the proxy's)
	cargo build --release --locked --package finial-cli --bin finial
	cargo bench --locked --package finial-benches

soak: ## the bad days at full size: two thousand agents of fifty SVIDs parted from their server, a million connections, 200 restarts under 1,000 streams, 1,000 rotations under load, 100 of PostgreSQL's, a helper killed 500 times under 100,000 reads, 450 Envoys, a fault at 1,200 writes (FINIAL_INJECTIONS=n for n of each kind)
	cargo build --release --locked --package finial-cli --bin finial
	FINIAL_SOAK=1 cargo test --release --locked --package finial-it -- --nocapture storm restarts rotations killed faults leaks
	FINIAL_SOAK=1 cargo test --release --locked --package finial-interop -- --nocapture crowd postgres::rotations

fuzz: ## what a fuzzer thinks up, for each parser a minute (FUZZ_SECONDS=60; with a nightly compiler and g++; 10 min to build it at first)
	@fuzz/run

fmt: ## format the code
	cargo fmt --all

conformance: ## write our corpus of X.509-SVIDs, and what each verifier makes of it, anew
	cargo run --locked --quiet --package finial-conformance -- corpus
	FINIAL_BLESS=1 cargo run --locked --quiet --package finial-conformance -- pages

proto: ## generate the gRPC code again after a change in proto/
	cargo xtask proto
