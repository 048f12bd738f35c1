#include "models/pooler.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/tanh.h>

#include "layers/low_rank.h"
#include "ops/pooling.h"

namespace st {

Pooler::Pooler(Layout& layout, const std::string& prefix, int64_t width)
    : weight_(layout.add(prefix + "pooler.dense.weight", {width, width}, Group::kFrozen)),
      bias_(layout.add(prefix + "pooler.dense.bias", {width}, Group::kFrozen)) {
  layout.mark_linear(weight_);
}

at::Tensor Pooler::output(const Pass& pass, const at::Tensor& x_TD) const {
  const at::Tensor first_RD = pool(x_TD, pass.input.batch, {"cls"}, true);
  const LowRank* low = pass.parameters.low_rank(weight_);
  at::Tensor weight_DD = pass.parameters.value(weight_);
  if (low != nullptr) weight_DD = with_low_rank(pass.parameters, weight_, *low).to(weight_DD.scalar_type());
  return at::tanh(at::addmm(pass.parameters.value(bias_), first_RD, weight_DD.t()));
}

}  // namespace st
