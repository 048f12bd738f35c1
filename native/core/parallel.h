#pragma once

#include <ATen/Parallel.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#include <algorithm>
#include <cstdint>

namespace st {

#ifdef __SANITIZE_THREAD__
// libgomp is not instrumented, so the thread sanitizer does not see how it hands work over and waits for it.
inline char handed_over, handed_back;
inline void hand_over() {
  __tsan_release(&handed_over);
}
inline void take_back() {
  __tsan_acquire(&handed_back);
}
struct HandedOver {
  HandedOver() { __tsan_acquire(&handed_over); }
  ~HandedOver() { __tsan_release(&handed_back); }
};
#else
inline void hand_over() {}
inline void take_back() {}
struct HandedOver {};
#endif

// Calls work(part, begin, end) for `parts` equal ranges of [0, count), one thread each. The ranges depend only on the
// numbers of threads and of items, so that sums per part are the same in every run.
inline int64_t parallel_parts(int64_t count, int64_t grain) {
  return std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), count / std::max<int64_t>(grain, 1)));
}

template <typename Work>
void parallel_ranges(int64_t count, int64_t parts, const Work& work) {
  const auto ranges = [&](int64_t first, int64_t last) {
    [[maybe_unused]] const HandedOver here;
    for (int64_t part = first; part < last; ++part) work(part, count * part / parts, count * (part + 1) / parts);
  };
  hand_over();
  at::parallel_for(0, parts, 1, ranges);
  take_back();
}

}  // namespace st
