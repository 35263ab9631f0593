// A qemu TCG plugin that counts the blocks of guest instructions executed between two markers
// (AArch64 `hint #118` and `hint #119`, see marker.c), for estimate.py.
//
//   gcc -O2 -shared -fPIC -o count.so count.c
//   qemu-aarch64 -plugin ./count.so,out=FILE PROGRAM
//
// Debian packages no header for plugins, hence the declarations of its API, version 1.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct {
  const char *target_name;
  struct {
    int min, cur;
  } version;
  bool system_emulation;
  struct {
    int smp_vcpus, max_vcpus;
  } system;
} qemu_info_t;
typedef void (*udata_cb)(unsigned, void *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
                                                  void (*)(qemu_plugin_id_t,
                                                           struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, udata_cb, int, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, udata_cb, int,
                                                   void *);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *),
                                           void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
__attribute__((visibility("default"))) int qemu_plugin_version = 1;

typedef struct Block {
  uint64_t count, address;
  size_t size;
  uint32_t *code;
  struct Block *next;
} Block;

enum { NO_MARKER, START, STOP };

static Block *blocks;
static volatile int counting;
static uint64_t regions;
static const char *out;
static char lock;

static uint32_t word_of(const struct qemu_plugin_tb *tb, size_t k) {
  uint32_t word;
  memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, k)), sizeof word);
  return word;
}

static int marker(uint32_t word) {
  const uint32_t hint = 0xd503201f;
  return word == (hint | 118 << 5) ? START : word == (hint | 119 << 5) ? STOP : NO_MARKER;
}

static void on_block(unsigned cpu, void *block) {
  (void)cpu;
  if (counting) __atomic_fetch_add(&((Block *)block)->count, 1, __ATOMIC_RELAXED);
}
static void on_start(unsigned cpu, void *unused) {
  (void)cpu, (void)unused;
  counting = 1;
  ++regions;
}
static void on_stop(unsigned cpu, void *unused) {
  (void)cpu, (void)unused;
  counting = 0;
}

static Block *make_block(const struct qemu_plugin_tb *tb, size_t begin, size_t end) {
  Block *block = calloc(1, sizeof *block);
  block->address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, begin));
  block->size = end - begin;
  block->code = malloc(block->size * sizeof(uint32_t));
  for (size_t k = begin; k < end; ++k) block->code[k - begin] = word_of(tb, k);
  while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) continue;
  block->next = blocks;
  blocks = block;
  __atomic_clear(&lock, __ATOMIC_RELEASE);
  return block;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  const size_t size = qemu_plugin_tb_n_insns(tb);
  size_t begin = 0;
  for (size_t k = 0; k <= size; ++k) {
    const int found = k < size ? marker(word_of(tb, k)) : NO_MARKER;
    if (k < size && found == NO_MARKER) continue;
    if (k > begin) {
      Block *block = make_block(tb, begin, k);
      if (begin == 0) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, block);
      } else {
        qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, begin), on_block, 0,
                                               block);
      }
    }
    if (found != NO_MARKER) {
      qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, k),
                                             found == START ? on_start : on_stop, 0, NULL);
      begin = k + 1;
    }
  }
}

// One line per executed block: count, address, code as words.
static void finish(qemu_plugin_id_t id, void *unused) {
  (void)id, (void)unused;
  FILE *file = fopen(out, "w");
  if (file == NULL) return;
  fprintf(file, "regions %lu\n", regions);
  for (const Block *block = blocks; block != NULL; block = block->next) {
    if (block->count == 0) continue;
    fprintf(file, "%lu %lx", block->count, block->address);
    for (size_t k = 0; k < block->size; ++k) fprintf(file, " %08x", block->code[k]);
    fputc('\n', file);
  }
  fclose(file);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const qemu_info_t *info, int argc,
                                                               char **argv) {
  if (argc != 1 || strncmp(argv[0], "out=", 4) != 0 || strcmp(info->target_name, "aarch64") != 0) {
    fprintf(stderr, "count: give out=FILE, and run AArch64 programs\n");
    return -1;
  }
  out = strdup(argv[0] + 4);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finish, NULL);
  return 0;
}
