#include "ops/linear_branch_norm.h"

#include <ATen/TensorOperators.h>

#include <type_traits>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/linear_rows.h"
#include "ops/norm_math.h"
#include "ops/residual_norm_call.h"

namespace st {

namespace {
constexpr int64_t kGrain = 16;  // tokens that are worth a thread
}

void linear_branch_norm(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_D,
                        const NormWeights& branch, const BranchKept& kept, const DropoutMask& mask,
                        const NormWeights& norm, const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD,
                        at::Tensor mean_T, at::Tensor rstd_T) {
  const ProfileScope scope("linear + two norms");
  const bool fused = product::available(x_TI);
  const Scratch scratch(weight.workspace);
  if (!fused) {
    if (!sum_TD.defined()) sum_TD = weight.workspace.take(out_TD.sizes(), out_TD.scalar_type());
    linear(x_TI, weight, at::Tensor(), sum_TD);
    if (!has_kernels(x_TI)) {
      reference::branch_norm(branch, bias_D, kept, sum_TD);
      return residual_norm(input, mask, norm, at::Tensor(), residual_TD, sum_TD, out_TD, mean_T, rstd_T);
    }
  }
  with_storage(x_TI.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = out_TD.size(1), tokens = out_TD.size(0);
    const kernels::BranchNorm<S> call{
        .sum = residual_norm_call<S>(input, mask, norm, at::Tensor(), residual_TD, sum_TD, out_TD, mean_T, rstd_T),
        .epsilon = static_cast<A>(branch.epsilon),
        .rms = branch.kind == NormKind::kRms,
        .bias_D = data<A>(bias_D),
        .gamma_D = data<A>(branch.gamma_D),
        .beta_D = data<A>(branch.beta_D),
        .branch_TD = data<S>(kept.branch_TD),
        .mean_T = data<A>(kept.mean_T),
        .rstd_T = data<A>(kept.rstd_T)};
    const auto work = [&](int64_t begin, int64_t end, const A* block) {
      kernels::table<S>().branch_norm(call, begin, end, block,
                                      thread_scratch<A, BranchKept>(kernels::branch_scratch(width)));
    };
    if constexpr (!std::is_same_v<S, double>) {
      if (fused) {
        return linear_rows<S>(x_TI, weight, same_memory<S>(sum_TD),
                              [&](int64_t, int64_t begin, int64_t end, const float* sums) { work(begin, end, sums); });
      }
    }
    parallel_ranges(tokens, parallel_parts(tokens, kGrain),
                    [&](int64_t, int64_t begin, int64_t end) { for_rows(data<S>(sum_TD), width, begin, end, work); });
  });
}

namespace reference {

void branch_norm(const NormWeights& branch, const at::Tensor& bias_D, const BranchKept& kept, at::Tensor x_TD) {
  at::Tensor branch_TD = x_TD.to(branch.gamma_D.scalar_type());
  if (bias_D.defined()) branch_TD = branch_TD + bias_D;
  const Normalized n = normalize(branch_TD, branch);
  if (kept.branch_TD.defined()) {
    kept.branch_TD.copy_(branch_TD);
    kept.mean_T.copy_(n.mean_T1.squeeze(1));
    kept.rstd_T.copy_(n.rstd_T1.squeeze(1));
  }
  x_TD.copy_(n.out_TD);
}

}  // namespace reference

}  // namespace st
