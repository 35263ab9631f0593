// What the static libstdc++ and kernels take from a newer glibc than the wheels promise (2.17), in
// its older form. Linked into release wheels only, where setup.py wraps these names
// (LINNET_PORTABLE).
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define LINNET_OLDEST "GLIBC_2.2.5"
#define LINNET_FSTAT SYS_fstat
#elif defined(__aarch64__)
#define LINNET_OLDEST "GLIBC_2.17"
#define LINNET_FSTAT SYS_fstat
#else
#define LINNET_OLDEST "GLIBC_2.4"
#define LINNET_FSTAT SYS_fstat64
#endif
#define LINNET_OLD(name) __asm__(".symver old_" #name "," #name "@" LINNET_OLDEST)

extern "C" {

LINNET_OLD(pthread_create);
LINNET_OLD(pthread_once);
LINNET_OLD(pthread_detach);
LINNET_OLD(pthread_mutex_trylock);
LINNET_OLD(pthread_key_create);
LINNET_OLD(exp);
double old_exp(double);
int old_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
int old_pthread_once(pthread_once_t*, void (*)());
int old_pthread_detach(pthread_t);
int old_pthread_mutex_trylock(pthread_mutex_t*);
int old_pthread_key_create(pthread_key_t*, void (*)(void*));

int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                          void* (*start)(void*), void* argument) {
  return old_pthread_create(thread, attributes, start, argument);
}
int __wrap_pthread_once(pthread_once_t* control, void (*routine)()) {
  return old_pthread_once(control, routine);
}
int __wrap_pthread_detach(pthread_t thread) { return old_pthread_detach(thread); }
int __wrap_pthread_mutex_trylock(pthread_mutex_t* mutex) {
  return old_pthread_mutex_trylock(mutex);
}
int __wrap___pthread_key_create(pthread_key_t* key, void (*destructor)(void*)) {
  return old_pthread_key_create(key, destructor);
}
double __wrap_exp(double x) { return old_exp(x); }
int __wrap_fstat64(int file, struct stat64* status) {
  return static_cast<int>(syscall(LINNET_FSTAT, file, status));
}

// Read by reference counts: atomic always, since the process may have threads.
char __libc_single_threaded = 0;

}  // extern "C"
