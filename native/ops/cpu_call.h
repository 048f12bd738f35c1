#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/error.h"
#include "ops/cpu/kernels.h"
#include "ops/input.h"

namespace st {

// Whether the CPU's kernels take a tensor. float16 is of devices; on the CPU, where tests compute in it, only the
// references do.
inline bool has_kernels(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() != at::kHalf;
}

// Calls work(S{}) with the kernels' storage type for `type`.
template <typename Work>
void with_storage(at::ScalarType type, const Work& work) {
  switch (type) {
    case at::kFloat:
      return work(float{});
    case at::kDouble:
      return work(double{});
    case at::kBFloat16:
      return work(kernels::Bf16{});
    default:
      fail("ERR_LIBTORCH", "No kernel for dtype ", c10::toString(type));
  }
}

template <typename T>
T* data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

inline kernels::Tokens token_places(const Input& input) {
  return {data<int32_t>(input.rows_T), data<int32_t>(input.positions_T)};
}

// Adds sums per part, [parts, totals, width], to the totals, in the order of the parts. Sums for an undefined total
// are dropped.
template <typename A>
void add_partials(const std::vector<A>& partial, int64_t width, const std::vector<at::Tensor>& totals) {
  for (const A* from = partial.data(); from < partial.data() + partial.size();) {
    for (const at::Tensor& total : totals) {
      A* to = data<A>(total);
      for (int64_t i = 0; to != nullptr && i < width; ++i) to[i] += from[i];
      from += width;
    }
  }
}

// Memory of the calling thread that lives as long as the thread: at least `count` elements, aligned to a cache line.
// Memory that is in use at the same time has different values of `Use`.
template <typename A, typename Use = void>
A* thread_scratch(int64_t count) {
  constexpr size_t kLine = 64;
  thread_local std::vector<A> memory;
  if (memory.size() < count + kLine / sizeof(A)) memory.resize(count + kLine / sizeof(A));
  return reinterpret_cast<A*>((reinterpret_cast<uintptr_t>(memory.data()) + kLine - 1) / kLine * kLine);
}

// Calls work(first, last, block) for all rows of [begin, end), with the block of type A that holds them.
template <typename S, typename Work>
void for_rows(const S* from, int64_t width, int64_t begin, int64_t end, const Work& work) {
  using A = kernels::arithmetic_t<S>;
  if constexpr (std::is_same_v<S, A>) {
    work(begin, end, from + begin * width);
  } else {
    A* row = thread_scratch<A>(width);
    for (int64_t t = begin; t < end; ++t) {
      kernels::table<S>().widen(width, from + t * width, row);
      work(t, t + 1, row);
    }
  }
}

}  // namespace st
