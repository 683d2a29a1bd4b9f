# SPDX-License-Identifier: MIT
# Builds, tests and installs curlwire. `make` prints this menu:
#
#   make demo          install what is missing, build, run a short demo in Python and in Lua
#   make test          install what is missing, build, run every test
#   make test-one T=test_ping NAME='part of a name'   build and run one file of tests, or some of its tests
#                      (T=test_x.py or T=test_x.lua LUA=5.1 too; VARIANT=asan or tsan, LIBCURL=system)
#   make test-quick    run some of the tests on what is built, in 2 minutes
#   make test-all      run every test, test-real-servers, the suites beside busy loops, and in fresh minimal systems: hours
#   make all           build the library, the Python module and the Lua modules into build/
#   make core          build the library: build/release/libcurlwire.a and .so
#   make python        build the Python module; use it with PYTHONPATH=build/python
#   make lua           build the Lua modules: build/lua/5.1 5.2 5.3 5.4 jit
#   make cross         compile the core for macOS, FreeBSD and musl, with zig
#   make libcurl       build the static libcurl that the others contain, in build/libcurl
#   make test-core     run the C tests on what is built, after sh scripts/install.sh test
#   make test-python   run the Python tests on what is built
#   make test-lua      run the Lua tests on what is built
#   make test-real-servers  install the servers of examples/servers/ (500 MB) and run the programs with them
#   make test-conformance  run the test vectors of RFC 6455 in Python and in every Lua
#   make asan          run the C and Lua tests under AddressSanitizer and UBSan
#   make tsan          run them under ThreadSanitizer
#   make stress        run 8 threads on 4 sockets under ThreadSanitizer; STRESS_S=30 seconds
#   make load          run many connections at once; LOAD_S=60 seconds, LOAD_CONNECTIONS=2000
#   make fuzz          run each fuzz target for T seconds (60), two at a time
#   make autobahn      run the public Autobahn suite with Python, Lua 5.4 and LuaJIT, in half an hour. AUTOBAHN="--only limits python"
#   make analyse       run gcc -fanalyzer, clang-tidy and cppcheck over the core and the bindings
#   make coverage      list the lines of the core that the C tests do not reach
#   make mutants       change the core in one place at a time, and see whether the C tests fail. MUTANTS="--sample 50 reply"
#   make lint          check style, types, warnings, sizes of files, includes, and generated files
#   make annotations   check the annotations for Lua by a checker of types, which the first run builds by cargo
#   make controls      generate types, annotations and docs/controls.md from the table of controls in curlwire.h
#   make errors        generate docs/errors.md and docs/statuses.md, the tables of errors, from the sources
#   make idn           generate the table of host names (idn_table.c) from Unicode's data
#   make docs          build the documentation site in build/docs; a warning or a dead link is an error
#   make format        format the C and the Python sources
#   make bench         measure curlwire beside other clients, in 40 minutes; PUBLISH=1 writes docs/benchmarks.md
#   make bench-quick   measure the scenarios that have a target, in 3 minutes
#   make bench-check   compare the instructions of fixed work with the record; RECORD=1 writes the record
#   make wheel         build the wheels for every target, with OpenSSL, zlib and libcurl inside; TARGETS="musllinux_1_2_x86_64 abi3"
#   make test-wheels   test the wheels in dist/: as root, after sh scripts/install.sh test
#   make sources-update  write the newest releases into packaging/sources.txt
#   make install       install library, header and pkg-config file to PREFIX (/usr/local), under DESTDIR; then run ldconfig
#   make uninstall     remove what make install has installed
#   make dist          make a source archive in dist/, with the source of libcurl
#   make rock          make a rockspec and a source rock in dist/
#   make rocks         make them, and binary rocks for Lua 5.1, 5.3 and 5.4 on x86_64 and aarch64; TARGETS="x86_64 5.4"
#   make test-rocks    test the rocks in dist/: as root, after sh scripts/install.sh test
#   make clean         remove build/ and dist/
#
# Variables: PYTHON, CC, CFLAGS, CURL_CONFIG, PREFIX, DESTDIR, LUA_VERSIONS="5.1 5.2 5.3 5.4 jit", WERROR=1, V=1,
#   T=3600 for fuzz, CW_TEST_MANY=10000 (the number of sockets in the tests of resources), CURL_TARBALL and
#   LIBPSL_TARBALL (archives of sources, docs/libcurl.md). LIBCURL=system is for packagers: it uses the system's libcurl,
#   8.14.1 or later, and build/system, in all, core, python, lua, core-tests, test-..., install and bench.

.DEFAULT_GOAL := menu
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# Each step prints a short line, or with V=1 the whole command.
Q   := $(if $(V),,@)
SAY := $(if $(V),:,echo "  ")

# private: the libcurl that scripts/build_libcurl.sh builds, inside all that is built here. system: the system's libcurl.
LIBCURL ?= private
ifeq ($(filter $(LIBCURL),private system),)
$(error LIBCURL is $(LIBCURL). Set it to private or system)
endif

BUILD   ?= $(if $(filter system,$(LIBCURL)),build/system,build)
# release; test has allocation counters; asan and tsan are built for a sanitizer
VARIANT ?= release
OUT     := $(BUILD)/$(VARIANT)

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include

PYTHON  ?= $(firstword $(wildcard /usr/bin/python3) python3)
VENV    := build/venv/bin
VERSION := $(shell sed -n 's/^.define CW_VERSION "\(.*\)"/\1/p' core/include/curlwire.h)
SONAME  := libcurlwire.so.0

# The flags that each variant adds.
VARIANT_release := -O2 -g
VARIANT_test    := -O2 -g -DCW_TEST_ALLOC
VARIANT_asan    := -O1 -g -fno-omit-frame-pointer -DCW_TEST_ALLOC -fsanitize=address,undefined \
                   -fno-sanitize-recover=all
VARIANT_tsan    := -O1 -g -fno-omit-frame-pointer -DCW_TEST_ALLOC -fsanitize=thread
# like test, but without -g: equal code must give equal objects
VARIANT_mutants := -O2 -DCW_TEST_ALLOC
VARIANT_cov     := -O0 -g --coverage -fprofile-update=atomic -DCW_TEST_ALLOC -DCW_TEST_COVERAGE
# clang only: like asan, with the instrumentation for the fuzz targets
VARIANT_fuzz    := -O1 -g -fno-omit-frame-pointer -DCW_TEST_ALLOC -fsanitize=fuzzer-no-link,address,undefined \
                   -fno-sanitize-recover=all

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion $(if $(WERROR),-Werror)
C_FLAGS   = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -pthread $(WARNINGS) $(VARIANT_$(VARIANT)) \
            -Icore/include -Icore/src $(CURL_CFLAGS) $(CPPFLAGS) $(CFLAGS)
# The service thread may run while a runtime unloads the module, so the code must stay mapped (nodelete). macOS's linker
# has no such option; there service.c keeps it mapped.
ifeq ($(shell uname -s),Darwin)
SHARED    = -shared -pthread $(VARIANT_$(VARIANT)) $(LDFLAGS)
NAMED    := -Wl,-install_name,$(LIBDIR)/$(SONAME)
MODULE   := -Wl,-exported_symbol,_luaopen_curlwire_core -undefined dynamic_lookup
else
SHARED    = -shared -pthread -Wl,-z,nodelete $(VARIANT_$(VARIANT)) $(LDFLAGS)
NAMED    := -Wl,-soname,$(SONAME)
MODULE   := -Wl,--exclude-libs,ALL
endif

# The flags for libcurl are read when the first recipe needs them, because libcurl may have to be built before. All that
# is compiled depends on check-libcurl.
CHECK_LIBCURL := LIBCURL='$(LIBCURL)' CURL_CONFIG='$(CURL_CONFIG)' sh scripts/check_libcurl.sh
CURL_CFLAGS    = $(eval CURL_CFLAGS := $$(shell $(CHECK_LIBCURL) cflags))$(CURL_CFLAGS)
CURL_LIBS      = $(eval CURL_LIBS := $$(shell $(CHECK_LIBCURL) libs))$(CURL_LIBS)
CURL_BUILT    := $(if $(filter private,$(LIBCURL)),build/libcurl/lib/libcurl.a)

CORE_SOURCES := $(wildcard core/src/*/*.c)
CORE_OBJECTS := $(CORE_SOURCES:core/src/%.c=$(OUT)/core/%.o)
LUA_SOURCES  := $(wildcard bindings/lua/src/*.c)
LUA_SIDE     := $(wildcard bindings/lua/curlwire/*.lua)
TESTS        := $(patsubst tests/core/%.c,$(OUT)/tests/%,$(wildcard tests/core/test_*.c))

.PHONY: menu all demo test test-one test-quick test-all core python lua core-tests test-core test-python test-lua \
        test-real-servers test-conformance asan tsan stress load fuzz fuzz-targets autobahn analyse coverage mutants \
        mutant-parts mutants-run \
        wheel test-wheels rocks test-rocks sources-update \
        lint annotations controls docs errors idn format cross bench bench-quick bench-check dist rock install \
        install-rock \
        uninstall clean libcurl check-libcurl FORCE

menu:
	@sed -n 's/^#   make/make/p' Makefile

all: core python lua

demo:
	@sh scripts/demo.sh

test:
	@sh scripts/test.sh

test-one:
	@LIBCURL='$(LIBCURL)' VARIANT='$(VARIANT)' LUA='$(LUA)' $(PYTHON) scripts/test_one.py "$$T" "$$NAME"

test-all:
	@sh scripts/test.sh
	@$(RUN_TESTS) lua-5.2 lua-5.3 lua-5.4-system lua-jit-system
	@$(MAKE) --no-print-directory analyse coverage
	@$(MAKE) --no-print-directory test-real-servers
	@$(VENV)/python scripts/annotations.py
	@$(VENV)/python tests/servers/run.py -- $(VENV)/python scripts/repeat.py
	@sh scripts/minimal.sh

# ---- libcurl

libcurl: build/libcurl/lib/libcurl.a

build/libcurl/lib/libcurl.a: FORCE
	@CURL_TARBALL='$(CURL_TARBALL)' LIBPSL_TARBALL='$(LIBPSL_TARBALL)' CC='$(CC)' sh scripts/build_libcurl.sh

check-libcurl: $(CURL_BUILT)
	@$(CHECK_LIBCURL)

# ---- the core

core: $(OUT)/libcurlwire.a $(OUT)/$(SONAME) $(OUT)/libcurlwire.so $(OUT)/curlwire.pc

# Objects depend on this file, so they are compiled again when the flags change.
$(OUT)/flags: FORCE | check-libcurl
	@mkdir -p $(OUT)
	@printf '%s\n' '$(CC) $(C_FLAGS)' | cmp -s - $@ || printf '%s\n' '$(CC) $(C_FLAGS)' > $@

$(OUT)/core/%.o: core/src/%.c $(OUT)/flags
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(CC) $(C_FLAGS) -MMD -MP -c -o $@ $<

$(OUT)/libcurlwire.a: $(CORE_OBJECTS)
	@rm -f $@
	@$(SAY) AR $@
	$(Q)$(AR) rcs $@ $^

$(OUT)/$(SONAME): $(CORE_OBJECTS) $(CURL_BUILT)
	@$(SAY) LD $@
	$(Q)$(CC) $(SHARED) $(NAMED) -o $@ $(CORE_OBJECTS) $(CURL_LIBS)

$(OUT)/libcurlwire.so: $(OUT)/$(SONAME)
	@ln -sf $(SONAME) $@

# What a program needs beside libcurlwire.a: with the private libcurl, only the libraries that libcurl needs.
ifeq ($(LIBCURL),system)
PC_REQUIRES := libcurl >= 8.14.1, zlib
else
PC_LIBS      = $(filter-out %.a,$(CURL_LIBS))
endif

$(OUT)/curlwire.pc: core/curlwire.pc.in core/include/curlwire.h Makefile FORCE | check-libcurl
	@mkdir -p $(OUT)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	     -e 's|@VERSION@|$(VERSION)|' -e 's|@REQUIRES@|$(PC_REQUIRES)|' -e 's|@LIBS@|$(PC_LIBS)|' $< > $@

-include $(wildcard $(OUT)/core/*/*.d $(OUT)/tests/*.d $(OUT)/targets/*.d)

# ---- the core for other systems: zig, which has their headers, compiles it, and links nothing

CROSS       := x86_64-macos aarch64-macos x86_64-freebsd x86_64-linux-musl aarch64-linux-musl
CROSS_OUT   := build/cross
CROSS_FLAGS := -std=c11 -D_GNU_SOURCE -O0 -g0 -fno-sanitize=all -pthread $(WARNINGS) -Werror -Icore/include -Icore/src \
               -I$(CROSS_OUT)/include
ZIG         := $(wildcard build/venv/lib/python3*/site-packages/ziglang/zig)

cross: $(foreach t,$(CROSS),$(CORE_SOURCES:core/src/%.c=$(CROSS_OUT)/$(t)/%.o))

# The headers of libcurl and zlib are the same on every system. A copy of them alone keeps out this system's other headers.
$(CROSS_OUT)/include/zlib.h: tests/requirements.txt Makefile | check-libcurl
	@test -n "$(ZIG)" || { echo "make cross: zig is not installed. Run: sh scripts/install.sh test" >&2; exit 1; }
	@rm -rf $(@D)
	@mkdir -p $(@D)/curl
	@printf '#include <curl/curl.h>\n#include <zlib.h>\n' | $(CC) $(CURL_CFLAGS) -M -x c - | tr -s ' \\' '\n\n' | \
	    while read -r header; do \
	        case $$header in */curl/*.h) cp "$$header" $(@D)/curl/ ;; */zlib.h | */zconf.h) cp "$$header" $(@D)/ ;; esac; \
	    done

define cross_rule
$(CROSS_OUT)/$(1)/%.o: core/src/%.c $(CROSS_OUT)/include/zlib.h
	@mkdir -p $$(@D)
	@$(SAY) CC $$< for $(1)
	$(Q)ZIG_GLOBAL_CACHE_DIR=$(CROSS_OUT)/cache $(ZIG) cc -target $(1) $$(CROSS_FLAGS) -MMD -MP -c -o $$@ $$<
endef
$(foreach t,$(CROSS),$(eval $(call cross_rule,$(t))))

-include $(wildcard $(CROSS_OUT)/*/*/*.d)

# ---- the C tests

# The C tests need the allocation counters, which the release variant lacks.
ifeq ($(VARIANT),release)
core-tests:
	@$(MAKE) --no-print-directory core-tests VARIANT=test
else
core-tests: $(TESTS)
endif

$(OUT)/tests/%: tests/core/%.c $(OUT)/libcurlwire.a $(OUT)/flags $(CURL_BUILT)
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(CC) $(C_FLAGS) -Itests/core -MMD -MP -MF $@.d -o $@ $< $(OUT)/libcurlwire.a $(CURL_LIBS) $(WRAPPED) $(LDFLAGS)

$(OUT)/tests/%.o: tests/core/%.c $(OUT)/flags
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(CC) $(C_FLAGS) -Itests/core -MMD -MP -MF $@.d -c -o $@ $<

$(addprefix $(OUT)/tests/,test_handshake_options test_handshake_tls test_handshake_verdict test_proxy_options test_reach \
    test_refusal test_showing test_tls_options): WRAPPED := \
    -Wl,--wrap=curl_easy_setopt,--wrap=curl_easy_getinfo,--wrap=curl_version_info,--wrap=curl_slist_append
$(OUT)/tests/test_libcurl: WRAPPED := -Wl,--wrap=curl_version_info,--wrap=curl_global_init

# ---- the fuzz targets: tests/fuzz/run.py calls this with CC=clang VARIANT=fuzz

fuzz-targets: $(patsubst tests/fuzz/%.c,$(OUT)/targets/%,$(wildcard tests/fuzz/fuzz_*.c))

$(OUT)/targets/%: tests/fuzz/%.c $(OUT)/libcurlwire.a $(OUT)/flags $(CURL_BUILT)
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(CC) $(C_FLAGS) -fsanitize=fuzzer -Itests/fuzz -MMD -MP -MF $@.d -o $@ $< $(OUT)/libcurlwire.a \
	    $(CURL_LIBS) $(if $(findstring differential,$@),-lunistring) $(LDFLAGS)

# ---- Python: setup.py builds the module, with the core inside

python: | check-libcurl
	@mkdir -p $(BUILD)
	@$(SAY) Python $(BUILD)/python
	$(Q)LIBCURL='$(LIBCURL)' $(PYTHON) -W ignore::UserWarning setup.py -q egg_info --egg-base $(BUILD) \
	    build --build-temp $(BUILD)/python-temp --build-lib $(BUILD)/python

# ---- Lua: a module with the core inside, in a folder for each version whose headers are installed

PKG_5.1 := lua5.1
PKG_5.2 := lua5.2
PKG_5.3 := lua5.3
PKG_5.4 := lua5.4
PKG_jit := luajit
LUA_KNOWN    := 5.1 5.2 5.3 5.4 jit
# LuaRocks passes the folder of one Lua's headers, LUA_INCDIR.
LUA_GIVEN    := $(if $(LUA_INCDIR),$(shell sed -n 's/^.define[ \t]*LUA_VERSION_NUM[ \t]*\([0-9]\)0\([0-9]\).*/\1.\2/p' '$(LUA_INCDIR)/lua.h' | grep . || echo unknown))
LUA_FOUND    := $(foreach v,$(LUA_KNOWN),$(shell pkg-config --exists $(PKG_$(v)) 2>/dev/null && echo $(v)))
LUA_VERSIONS ?= $(or $(LUA_GIVEN),$(LUA_FOUND))
LUA_FLAGS     = $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(shell pkg-config --cflags $(PKG_$(1))))
ifneq ($(filter-out $(LUA_KNOWN),$(LUA_VERSIONS)),)
$(error LUA_VERSIONS is $(LUA_VERSIONS), but curlwire is tested with $(LUA_KNOWN) only. Choose from these)
endif
LUA_OUT      := $(if $(filter release,$(VARIANT)),$(BUILD)/lua,$(OUT)/lua)

lua: $(foreach v,$(LUA_VERSIONS),$(LUA_OUT)/$(v)/curlwire/core.so lua-side-$(v))
	@test -n "$(LUA_VERSIONS)" || { echo "make lua: no headers of Lua 5.1, 5.2, 5.3, 5.4 or LuaJIT are installed. Run: sh scripts/install.sh lua" >&2; exit 1; }

define lua_rules
.PHONY: lua-side-$(1)
lua-side-$(1): $(LUA_SIDE)
	@mkdir -p $(LUA_OUT)/$(1)/curlwire
	@cp $(LUA_SIDE) $(LUA_OUT)/$(1)/curlwire/

$(OUT)/lua-objects/$(1)/flags: FORCE
	@mkdir -p $$(@D)
	@echo '$$(call LUA_FLAGS,$(1))' | cmp -s - $$@ || echo '$$(call LUA_FLAGS,$(1))' > $$@

$(OUT)/lua-objects/$(1)/%.o: bindings/lua/src/%.c $(OUT)/flags $(OUT)/lua-objects/$(1)/flags
	@mkdir -p $$(@D)
	@$(SAY) CC $$< for Lua $(1)
	$(Q)$$(CC) $$(filter-out -Icore/src,$$(C_FLAGS)) $$(call LUA_FLAGS,$(1)) -MMD -MP -c -o $$@ $$<

$(LUA_OUT)/$(1)/curlwire/core.so: $(LUA_SOURCES:bindings/lua/src/%.c=$(OUT)/lua-objects/$(1)/%.o) \
                                  $(OUT)/libcurlwire.a $(CURL_BUILT)
	@mkdir -p $$(@D)
	@$(SAY) LD $$@
	$(Q)$$(CC) $$(SHARED) $$(MODULE) -o $$@ $$(filter %.o,$$^) $(OUT)/libcurlwire.a $$(CURL_LIBS)

-include $(wildcard $(OUT)/lua-objects/$(1)/*.d)
endef
$(foreach v,$(LUA_VERSIONS),$(eval $(call lua_rules,$(v))))

# LuaRocks calls this with ROCK_LUADIR and ROCK_LIBDIR, the folders of the rock.
install-rock: lua
	install -d $(ROCK_LUADIR)/curlwire $(ROCK_LIBDIR)/curlwire
	install -m 644 $(LUA_SIDE) $(ROCK_LUADIR)/curlwire/
	install -m 755 $(firstword $(LUA_VERSIONS:%=$(LUA_OUT)/%/curlwire/core.so)) $(ROCK_LIBDIR)/curlwire/core.so

# ---- tests of what is built; scripts/run_tests.py defines the suites

RUN_TESTS = $(VENV)/python tests/servers/run.py -- $(VENV)/python scripts/run_tests.py
SYSTEM    := $(if $(filter system,$(LIBCURL)),-system)

$(VENV)/python:
	@echo "make: the tools of the tests are not installed. Run: sh scripts/install.sh test" >&2; exit 1

test-quick test-core test-python test-lua test-real-servers test-conformance asan tsan stress load fuzz analyse coverage mutants lint \
controls docs errors format cross: | $(VENV)/python

test-quick:
	@$(RUN_TESTS) --quick
test-core:
	@$(RUN_TESTS) core$(SYSTEM)
test-python:
	@$(RUN_TESTS) python$(SYSTEM)
test-lua:
	@$(RUN_TESTS) $(if $(SYSTEM),,lua-5.1 lua-5.2 lua-5.3) lua-5.4$(SYSTEM) lua-jit$(SYSTEM)
test-real-servers:
	@sh scripts/install.sh real-servers
	@$(VENV)/python scripts/run_tests.py real-servers
test-conformance:
	@$(RUN_TESTS) conformance$(SYSTEM)
asan:
	@$(RUN_TESTS) core-asan lua-asan
tsan:
	@$(RUN_TESTS) core-tsan lua-tsan
stress:
	@STRESS_S='$(STRESS_S)' $(RUN_TESTS) stress
load:
	@LOAD_S='$(LOAD_S)' LOAD_CONNECTIONS='$(LOAD_CONNECTIONS)' $(VENV)/python scripts/run_tests.py load
fuzz:
	@$(VENV)/python tests/fuzz/run.py $(if $(T),--seconds $(T))
autobahn: python lua
	@$(PYTHON) tests/autobahn/run.py --build $(BUILD) $(AUTOBAHN)
analyse:
	@$(VENV)/python scripts/analyse.py
coverage:
	@$(MAKE) -j2 --no-print-directory core-tests VARIANT=cov
	@$(VENV)/python tests/servers/run.py -- $(VENV)/python scripts/coverage.py
mutants:
	@$(MAKE) -j2 --no-print-directory mutant-parts VARIANT=asan
	@$(MAKE) -j2 --no-print-directory mutant-parts VARIANT=mutants
	@$(MAKE) --no-print-directory mutants-run VARIANT=mutants
mutant-parts: $(OUT)/libcurlwire.a $(TESTS:=.o)
mutants-run:
	@$(RUN_TESTS:%run_tests.py=%mutants.py) --build $(BUILD) --libraries '$(CURL_LIBS)' $(MUTANTS)
lint:
	@$(VENV)/python scripts/run_tests.py lint

C_FILES := $(wildcard core/include/*.h core/src/*/*.[ch] bindings/*/src/*.[ch] tests/core/*.[ch] tests/fuzz/*.[ch] \
             tests/resources/*.[ch] bench/*.[ch] packaging/include/*.h \
             examples/*.c)

controls:
	@PYTHONPATH=$(BUILD)/python $(VENV)/python scripts/controls.py
annotations:
	@$(VENV)/python scripts/annotations.py
errors:
	@$(VENV)/python scripts/errors.py
	@$(VENV)/python scripts/statuses.py
idn:
	@$(VENV)/python scripts/idn_table.py
docs:
	@NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --strict
format:
	$(VENV)/clang-format -i $(C_FILES)
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

bench: all
	@$(MAKE) --no-print-directory python LIBCURL=system || echo "the rows of the system's libcurl are left out"
	@LIBCURL='$(LIBCURL)' $(PYTHON) bench/run.py --build $(BUILD) $(if $(PUBLISH),--publish)
bench-quick: all
	@LIBCURL='$(LIBCURL)' $(PYTHON) bench/run.py --build $(BUILD) --quick
bench-check:
	@$(PYTHON) bench/check.py --build $(BUILD) $(if $(RECORD),--record)

# ---- wheels

wheel:
	@nice $(PYTHON) packaging/build_wheels.py $(TARGETS)

test-wheels: | $(VENV)/python
	@$(RUN_TESTS) wheels

sources-update:
	@$(PYTHON) packaging/sources.py update

# ---- install

# Updates the loader's cache, by which programs find the library. With DESTDIR a package's own scripts do that. Only root
# can write the cache.
RUN_LDCONFIG = $(if $(DESTDIR),,@if [ "$$(id -u)" = 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi)

# The archive that is installed has one object, in which all hidden names are local: a program may contain another libcurl.
# macOS's linker makes them local itself.
INSTALLED := $(OUT)/installed/libcurlwire.a
LOCALIZE  := $(if $(filter Darwin,$(shell uname -s)),:,$(or $(OBJCOPY),objcopy) --localize-hidden)

$(INSTALLED): $(CORE_OBJECTS) $(CURL_BUILT)
	@mkdir -p $(@D)
	@$(SAY) AR $@
	@rm -f $@
	$(Q)$(CC) -r -nostdlib -o $(@D)/curlwire.o $^
	$(Q)$(LOCALIZE) $(@D)/curlwire.o
	$(Q)$(AR) rcs $@ $(@D)/curlwire.o

install: core $(INSTALLED)
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	install -m 644 core/include/curlwire.h $(DESTDIR)$(INCLUDEDIR)/curlwire.h
	install -m 644 $(INSTALLED) $(DESTDIR)$(LIBDIR)/libcurlwire.a
	install -m 755 $(OUT)/$(SONAME) $(DESTDIR)$(LIBDIR)/libcurlwire.so.$(VERSION)
	ln -sf libcurlwire.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libcurlwire.so
	install -m 644 $(OUT)/curlwire.pc $(DESTDIR)$(LIBDIR)/pkgconfig/curlwire.pc
	$(RUN_LDCONFIG)

uninstall:
	rm -f $(DESTDIR)$(INCLUDEDIR)/curlwire.h $(DESTDIR)$(LIBDIR)/pkgconfig/curlwire.pc \
	    $(DESTDIR)$(LIBDIR)/libcurlwire.a $(DESTDIR)$(LIBDIR)/libcurlwire.so \
	    $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libcurlwire.so.$(VERSION)
	$(RUN_LDCONFIG)

rock:
	@sh scripts/rock.sh

rocks: rock
	@nice $(PYTHON) packaging/build_rocks.py $(TARGETS)

test-rocks: | $(VENV)/python
	@$(RUN_TESTS) rocks

dist:
	@mkdir -p dist
	sh scripts/build_libcurl.sh --pack build/packed
	git archive --format=tar.gz --prefix=curlwire-$(VERSION)/packaging/sources/ $$(printf -- '--add-file=%s ' build/packed/*) \
	    --prefix=curlwire-$(VERSION)/ -o dist/curlwire-$(VERSION).tar.gz HEAD

clean:
	rm -rf build dist
