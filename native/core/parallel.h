#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace st {

// Calls work(part, begin, end) for `parts` equal ranges of [0, count), one thread each. The ranges depend on nothing
// but the numbers of threads and of items, so that sums kept per part are the same in every run.
inline int64_t parallel_parts(int64_t count, int64_t grain) {
  return std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), count / std::max<int64_t>(grain, 1)));
}

template <typename Work>
void parallel_ranges(int64_t count, int64_t parts, const Work& work) {
  at::parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) work(part, count * part / parts, count * (part + 1) / parts);
  });
}

}  // namespace st
