# Everything lives under .venv and .skewless; `make demo` and `make test` set both up by themselves.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup jars demo test test-slow test-long test-faults lint format notebook bench bench-lock up stop status logs screenshots lock clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F@ '{printf "%-18s %s\n", $$1, $$2}'

setup:  ## Make .venv, check Java, bring the Delta jars (done before all that follows)
	@scripts/setup.sh

jars:  ## Bring the Delta jars only
	@scripts/jars.sh

demo: setup  ## Load real flights, build, check, publish, look up and train; run it again to go on
	@.venv/bin/python -m examples.demo

test: setup  ## Linters, types, import contracts and the tests (15 minutes on an idle machine)
	@scripts/test.sh

test-slow: setup  ## The tests that take minutes (at most 30 in all)
	@scripts/test.sh slow

test-long: setup  ## More of the same: more cases, more interleavings, longer waits (an hour)
	@scripts/test.sh long

test-faults: setup  ## Kill, cut and stall whoever publishes, hundreds of times, while readers read (40 minutes)
	@scripts/test.sh faults

lint: setup  ## Linters, types and import contracts only
	@scripts/lint.sh

format: setup  ## Let ruff format and fix what it can
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

notebook: setup  ## Run notebooks/train_delays.ipynb in place: leaky and honest features, and what they do to a model
	@.venv/bin/skewless up
	@.venv/bin/python -m examples.load
	@.venv/bin/python -m scripts.notebook notebooks/train_delays.ipynb

bench: setup  ## Measure the engine beside its peers, and write docs/benchmarks.md (hours; see benchmarks/)
	@benchmarks/setup.sh
	@scripts/class_archive.sh .venv-bench
	@.venv-bench/bin/python -m benchmarks $(ARGS)

bench-lock:  ## Make benchmarks/requirements.txt again (needs uv)
	@benchmarks/lock.sh

up: setup  ## Start Airflow, Spark and Valkey on this machine
	@.venv/bin/skewless up --airflow

status: setup  ## Show views and services
	@.venv/bin/skewless status
	@.venv/bin/skewless services

logs: setup  ## Follow the services' logs until Ctrl-C
	@.venv/bin/skewless logs --follow

stop:  ## End the services that demo and up started
	@test ! -x .venv/bin/skewless || .venv/bin/skewless stop

screenshots: setup  ## Take the pictures of docs/operations.md from the running demo (needs chromium)
	@.venv/bin/python -m scripts.screenshots

lock:  ## Make requirements.txt again from pyproject.toml (needs uv)
	@scripts/lock.sh

clean: stop  ## Remove .venv and all state: warehouse, online store, jars
	rm -rf .venv .venv-bench .skewless
