# Every target does its work in tools/. PYTHON, CORE (ansible-core 2.16 ... 2.21) and DISTROS choose what it runs on.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# A target's times are printed one after the other; so is their output.
.NOTPARALLEL:
.PHONY: help venv engine images install lint unit sanity package ee docs molecule test test-all vm demo demo-down bench release clean

# What is installed without compiling it is compiled on first use, if nothing forbids it.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(CURDIR)/.venv$(if $(CORE),-core-$(CORE))/bin
export PATH := $(BIN):$(PATH)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: ## virtual environment with Ansible and the test tools (1-3 minutes; at once when current)
	@tools/venv

engine: ## a Docker engine, installed and started if none answers (about 1 minute)
	@tools/engine

images: ## test images that run systemd (1-3 minutes; at once when current)
	@tools/images

install: venv ## this checkout as a collection in .collections (5 seconds; at once when current)
	@tools/install

lint: venv ## every linter (2 minutes)
	@echo '==> lint, about 2 minutes'; tools/lint

unit: venv ## unit tests (3 minutes)
	@echo '==> unit tests, about 3 minutes'; tools/unit

sanity: venv ## ansible-test sanity (2-5 minutes)
	@echo '==> sanity tests, 2 to 5 minutes'; tools/sanity

package: venv ## builds the collection and checks it as Galaxy would (1 minute)
	@echo '==> package, about 1 minute'; tools/package

ee: venv ## the execution environment's build context, checked without building it (10 seconds)
	@echo '==> execution environment, about 10 seconds'; tools/ee

docs: venv ## the documentation as a site (1 minute)
	@tools/docs

molecule: ## scenarios on hosts that run systemd (50 minutes; SCENARIO=name for one)
	@echo '==> molecule scenarios, 5 to 15 minutes each, two at a time'; tools/molecule $(SCENARIO)

test: ## all of the above (1 hour)
	@tools/test

test-all: ## test, then unit and molecule on every supported ansible-core (hours)
	@tools/test-all

vm: ## a proxy with a kernel of its own, emulated: AppArmor, reboots, power cuts (Debian 13 and 12; 50 minutes each at most)
	@tools/vm

demo: venv engine ## a plant in containers: deploys the chain, proves it, prints the table (5 minutes)
	@tools/demo up

demo-down: ## removes the demo (10 seconds)
	@tools/demo down

bench: venv engine ## measures what docs/figures.md has (10 minutes)
	@tools/bench

release: venv ## changelog and tarball of the version in galaxy.yml, checked as Galaxy would (ARGS=--write keeps them; 4 minutes)
	@tools/release $(ARGS)

clean: ## removes what was built here, test images too (10 seconds)
	@tools/clean
