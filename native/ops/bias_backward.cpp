#include <ATen/ops/sum.h>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"
#include "ops/linear.h"

namespace st {

namespace {
constexpr int64_t kGrain = 64;  // tokens that are worth a thread
}

void bias_backward(const at::Tensor& d_y_TO, at::Tensor d_bias_O) {
  const ProfileScope scope("bias gradient");
  if (!d_y_TO.is_cpu()) return reference::bias_backward(d_y_TO, d_bias_O);
  with_storage(d_y_TO.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t tokens = d_y_TO.size(0), width = d_y_TO.size(1), parts = parallel_parts(tokens, kGrain);
    std::vector<A> partial(parts * width);
    parallel_ranges(tokens, parts, [&](int64_t part, int64_t begin, int64_t end) {
      kernels::table<S>().column_sums(width, begin, end, data<S>(d_y_TO), partial.data() + part * width);
    });
    add_partials(partial, {d_bias_O});
  });
}

namespace reference {

void bias_backward(const at::Tensor& d_y_TO, at::Tensor d_bias_O) {
  d_bias_O.add_(d_y_TO.sum(at::IntArrayRef{0}, false, d_bias_O.scalar_type()));
}

}  // namespace reference

}  // namespace st
