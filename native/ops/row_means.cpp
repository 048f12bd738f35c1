#include "ops/row_means.h"

#include <ATen/ops/empty.h>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"

namespace st {

namespace {
// Tokens that are worth a thread: with fewer, threads wait for the next loop longer than they add rows in this one.
constexpr int64_t kGrain = 16 * 1024;
}  // namespace

at::Tensor row_means(const at::Tensor& table_VD, const Rows& batch, bool normalize) {
  const ProfileScope scope("means of rows");
  const int64_t rows = batch.rows(), width = table_VD.size(1);
  at::Tensor out_RD = at::empty({rows, width}, table_VD.options());
  with_storage(table_VD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const kernels::RowMeans<A> call{.width = width,
                                    .ids = batch.ids.data(),
                                    .offsets = batch.offsets.data(),
                                    .table_VD = data<A>(table_VD),
                                    .normalize = normalize,
                                    .out_RD = data<A>(out_RD)};
    parallel_ranges(rows, parallel_parts(batch.tokens(), kGrain),
                    [&](int64_t, int64_t begin, int64_t end) { kernels::table<A>().row_means(call, begin, end); });
  });
  return out_RD;
}

}  // namespace st
