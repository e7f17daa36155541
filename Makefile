# make                  the module for the installed nginx (Debian: nginx-dev)
# make NGINX_SRC=DIR    the module for the nginx whose source tree is DIR
# make run              a sandbox: nginx, the module and a fake ilert
# make run KEY_FILE=F   the same with the real ilert, and the key in F
# make test             t/*.t; with NGINX_SRC on an nginx built from it
# make asan             t/*.t under the address and undefined sanitizers
# make fuzz             FUZZ_TIME seconds of the parsers and the mapper
# make powerloss        t/powerloss/run
# make chaos            CHAOS_SEEDS runs of t/chaos.t, CHAOS_TIME seconds each,
#                       from CHAOS_SEED on; CHAOS_FAULTS="kill,reload" has
#                       these kinds of faults only, CHAOS_WITHOUT="stop" all
#                       others (t/lib/IlertChaosPlan.pm lists them)
# make soak             SOAK_TIME seconds of webhooks at a steady rate: is what
#                       nginx uses level to the end? (t/soak/run)
# make lint             style that a machine can see (tools/lint)
# make analyze          gcc, clang, clang-tidy, and cppcheck (tools/analyze)
# make cov              t/*.t, and the lines and branches that they reach
#                       (tools/cov); TESTS=t/store.t is enough for the store
#                       and the rules, and takes two minutes
# make bench            t/bench/run
# make matrix           t/*.t, the package, and the quick start, in trees of
#                       several Debians (tools/matrix), as root; takes hours,
#                       MATRIX="sid-gcc trixie-deb" runs these parts only;
#                       NGINX_GIT=DIR is a copy of nginx's repository
# make install          into DESTDIR and MODULESDIR
# make deb              the Debian package, in build/deb/ (tools/deb)
# make clean
#
# V=1 shows each command, TESTS="t/event.t t/captures.t" runs some tests only.
# All output goes below build/.

NGINX_SRC =
KEY_FILE =
CC = cc
CFLAGS = -g -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2
LDFLAGS = -Wl,-z,relro -Wl,-z,now
JOBS := $(shell nproc 2>/dev/null || echo 1)
V =

# the longest tests begin first, so that none of them goes on alone at the end

SLOW_TESTS = t/store.t t/page.t t/chaos.t t/queue_crash.t
TESTS = $(SLOW_TESTS) $(filter-out $(SLOW_TESTS),$(sort $(wildcard t/*.t)))
# tests wait most of the time, so there are two more than there are processors

PROVE = prove -It/lib -j$(shell expr $(JOBS) + 2)
FUZZ_TIME = 600
SOAK_TIME ?= 3600
CHAOS_SEED ?=
CHAOS_SEEDS ?= 10
CHAOS_TIME ?= 120
CHAOS_FAULTS ?=
CHAOS_WITHOUT ?=
MATRIX ?=
NGINX_GIT ?=

export NGINX_SRC CC CFLAGS LDFLAGS JOBS V FUZZ_TIME MAKE
export PATH := $(PATH):/usr/sbin:/sbin

ifneq ($(words $(CURDIR)), 1)
$(error nginx cannot be built in a directory with spaces: $(CURDIR))
endif

MODULE = build/ngx_http_ilert_module.so
MODULESDIR = $(shell nginx -V 2>&1 \
	| sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')

ifdef NGINX_SRC
BUILD = build-src
ASAN = asan-src
export TEST_NGINX_BINARY ?= $(CURDIR)/build/source/objs/nginx
else
BUILD = build
ASAN = asan
endif

export ILERT_MODULE = $(CURDIR)/$(MODULE)


.PHONY: module run test asan fuzz powerloss chaos bench install clean
.PHONY: lint analyze cov soak deb matrix

module:
	@tools/build module

run:
	@tools/setup $(BUILD) run $(if $(KEY_FILE),ilert)
	@tools/build $(if $(NGINX_SRC),nginx,module)
	@tools/sandbox $(if $(KEY_FILE),"$(KEY_FILE)")

test:
	@tools/setup $(BUILD) test
	@tools/build $(if $(NGINX_SRC),nginx,module)
	$(PROVE) $(TESTS)

asan:
	@tools/setup $(ASAN) test
	@tools/build asan
	TEST_NGINX_BINARY=$(CURDIR)/build/asan/objs/nginx ILERT_MODULE= \
		$(PROVE) $(TESTS)

fuzz:
	@tools/setup $(ASAN) fuzz
	@tools/build fuzz
	@t/fuzz/run

powerloss:
	@tools/setup $(BUILD) test
	@tools/build $(if $(NGINX_SRC),nginx,module)
	@t/powerloss/run

chaos:
	@tools/setup $(BUILD) test
	@tools/build $(if $(NGINX_SRC),nginx,module)
	@CHAOS_SEED="$(CHAOS_SEED)" CHAOS_SEEDS="$(CHAOS_SEEDS)" \
		CHAOS_TIME="$(CHAOS_TIME)" CHAOS_FAULTS="$(CHAOS_FAULTS)" \
		CHAOS_WITHOUT="$(CHAOS_WITHOUT)" t/chaos/run

soak:
	@tools/setup $(BUILD) test
	@tools/build $(if $(NGINX_SRC),nginx,module)
	@SOAK_TIME="$(SOAK_TIME)" t/soak/run

lint:
	@tools/lint

analyze:
	@tools/setup $(BUILD) analyze
	@tools/build module
	@tools/analyze

# the test program of the store needs the headers of an nginx alone

cov:
ifeq ($(TESTS), t/store.t)
	@tools/setup $(BUILD) test cov
	@tools/build module
else
	@tools/setup $(ASAN) test cov
	@tools/build cov
endif
	TEST_NGINX_BINARY=$(CURDIR)/build/cov/objs/nginx ILERT_MODULE= \
		tools/cov $(PROVE) $(TESTS)

bench:
	@tools/setup $(BUILD) run bench
	@tools/build $(if $(NGINX_SRC),nginx,module)
	@t/bench/peers
	@t/bench/run

matrix:
	@NGINX_GIT="$(NGINX_GIT)" tools/matrix $(MATRIX)

install: module
	$(if $(MODULESDIR),,$(error which MODULESDIR?))
	mkdir -p $(DESTDIR)$(MODULESDIR)
	install -m 644 $(MODULE) $(DESTDIR)$(MODULESDIR)/

deb:
	@tools/setup deb
	@tools/deb

clean:
	rm -rf build
