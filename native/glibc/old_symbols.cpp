// What the addons take from newer versions of glibc and libstdc++ than the oldest that they are to run on (glibc 2.28,
// libstdc++ of GCC 8.2), under the names of the old versions. Every function here is hidden and stands in for the
// symbol of its name in this addon alone; where an addon does not use it, the linker leaves it out (--gc-sections).
//
// The old versions compute the same: `exp` and its like differ in how they report an error, and `wait` in its noexcept.
// Linux only; glibc's first version for a processor is that of all symbols that were there from the beginning.
#include <new>

#if defined(__x86_64__)
#define GLIBC_FIRST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define GLIBC_FIRST "GLIBC_2.17"
#else
#error "old_symbols.cpp knows x86-64 and aarch64"
#endif

#define HIDDEN __attribute__((visibility("hidden")))

extern "C" {

// 2.29: without the wrappers that ask for _LIB_VERSION.
double old_exp(double);
double old_log(double);
double old_pow(double, double);
asm(".symver old_exp, exp@" GLIBC_FIRST);
asm(".symver old_log, log@" GLIBC_FIRST);
asm(".symver old_pow, pow@" GLIBC_FIRST);
HIDDEN double exp(double x) {
  return old_exp(x);
}
HIDDEN double log(double x) {
  return old_log(x);
}
HIDDEN double pow(double x, double y) {
  return old_pow(x, y);
}

// 2.34: moved from libdl into libc. Node has libdl open wherever it is a library of its own.
void* old_dlopen(const char*, int);
char* old_dlerror();
asm(".symver old_dlopen, dlopen@" GLIBC_FIRST);
asm(".symver old_dlerror, dlerror@" GLIBC_FIRST);
HIDDEN void* dlopen(const char* file, int mode) {
  return old_dlopen(file, mode);
}
HIDDEN char* dlerror() {
  return old_dlerror();
}

// 2.32: whether libstdc++ may count references without atomic instructions. Never: a process of Node has threads.
extern HIDDEN char __libc_single_threaded;
char __libc_single_threaded = 0;

// GLIBCXX_3.4.30: no longer noexcept.
void old_wait(void* condition, void* lock);
asm(".symver old_wait, _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");
HIDDEN void new_wait(void* condition, void* lock) asm("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE");
void new_wait(void* condition, void* lock) {
  old_wait(condition, lock);
}

// GLIBCXX_3.4.29: new T[n] of too many.
[[noreturn]] HIDDEN void throw_length() asm("_ZSt28__throw_bad_array_new_lengthv");
void throw_length() {
  throw std::bad_array_new_length();
}

}  // extern "C"
