#pragma once

#include "ops/linear.h"
#include "ops/residual_norm.h"

namespace st {

// What the backward pass of the norm of a branch reads, or undefined: the branch before its norm, and statistics.
struct BranchKept {
  at::Tensor branch_TD, mean_T, rstd_T;
};

// The sum of a stream whose branches have norms of their own (Gemma): sum = residual + dropout(branch norm of x W' +
// bias); out = norm of sum. `sum_TD`, mean and rstd as in linear_residual_norm.
void linear_branch_norm(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_D,
                        const NormWeights& branch, const BranchKept& kept, const DropoutMask& mask,
                        const NormWeights& norm, const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD,
                        at::Tensor mean_T, at::Tensor rstd_T);

namespace reference {
// In place, in front of residual_norm.
void branch_norm(const NormWeights& branch, const at::Tensor& bias_D, const BranchKept& kept, at::Tensor x_TD);
}  // namespace reference

}  // namespace st
