#include "models/pooler.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/tanh.h>

#include "ops/pooling.h"

namespace st {

Pooler::Pooler(Layout& layout, const std::string& prefix, int64_t width)
    : weight_(layout.add(prefix + "pooler.dense.weight", {width, width}, Group::kFrozen)),
      bias_(layout.add(prefix + "pooler.dense.bias", {width}, Group::kFrozen)) {}

at::Tensor Pooler::output(const Pass& pass, const at::Tensor& x_TD) const {
  const at::Tensor first_RD = pool(x_TD, pass.input.batch, {"cls"}, true);
  return at::tanh(at::addmm(pass.parameters.value(bias_), first_RD, pass.parameters.value(weight_).t()));
}

}  // namespace st
