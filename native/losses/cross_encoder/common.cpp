#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>

#include "core/error.h"
#include "losses/cross_encoder/cross_encoder.h"

namespace st {

Activation logit_activation(const Config& spec, const std::string& fallback) {
  return parse_activation(spec.string("activationFn", fallback), "activationFn of " + spec.string("type"));
}

void require_one_label(const Config& spec, int64_t labels) {
  check(labels == 1, "ERR_INVALID_ARGUMENT", spec.string("type"),
        " needs a model with one label but the model has numLabels ", labels);
}

at::Tensor scores_CB(const LossInput& input, Activation activation) {
  return activate(activation, input.embeddings_CBD.squeeze(2));
}

at::Tensor labels_like(const LossInput& input) {
  return input.labels.to(input.embeddings_CBD.scalar_type());
}

void require_lists(const char* loss, const LossInput& input) {
  require_columns(loss, input, 1, 1);
  require_labels(loss, input, false);
  check(input.lists_Q1.defined() && input.lists_Q1.dim() == 1 && input.lists_Q1.size(0) >= 2, "ERR_INVALID_DATA", loss,
        " needs lists: the documents of each query, with a label for each");
}

Lists::Lists(const LossInput& input) {
  const at::Tensor lists = input.lists_Q1.to(at::kCPU).contiguous();
  const int64_t* starts = lists.data_ptr<int64_t>();
  const int64_t queries = lists.size(0) - 1;
  int64_t most = 0;
  for (int64_t q = 0; q < queries; ++q) most = std::max(most, starts[q + 1] - starts[q]);
  const at::Device device = input.embeddings_CBD.device();
  const at::TensorOptions here = at::TensorOptions().pinned_memory(device.is_cuda());
  index_QM = at::full({queries, most}, input.rows(), here.dtype(at::kLong));
  mask_QM = at::full({queries, most}, false, here.dtype(at::kBool));
  for (int64_t q = 0; q < queries; ++q) {
    for (int64_t i = 0; i < starts[q + 1] - starts[q]; ++i) {
      index_QM.data_ptr<int64_t>()[q * most + i] = starts[q] + i;
      mask_QM.data_ptr<bool>()[q * most + i] = true;
    }
  }
  index_QM = index_QM.to(device, at::kLong, /*non_blocking=*/true);
  mask_QM = mask_QM.to(device, at::kBool, /*non_blocking=*/true);
}

at::Tensor Lists::table(const at::Tensor& values_R, double fill) const {
  const at::Tensor filled = at::cat({values_R, at::full({1}, fill, values_R.options())});
  return filled.index_select(0, index_QM.view(-1)).view(index_QM.sizes());
}

}  // namespace st
