#include "engine/device_updater.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "core/upload.h"
#include "engine/gathered.h"

namespace st {

namespace {

enum Number : int64_t { kNorm, kUpdates, kSkips, kLossSum, kFiniteBatches, kNumbers };

}  // namespace

DeviceUpdater::DeviceUpdater(at::Device device, int64_t groups, LossScaler* scaler) : scaler_(scaler) {
  const at::TensorOptions there = at::TensorOptions().device(device);
  const at::TensorOptions float32 = there.dtype(at::kFloat);
  rates_G_ = at::zeros({groups}, float32);
  numbers_N_ = at::zeros({kNumbers}, there.dtype(at::kDouble));
  numbers_N_[kNorm].fill_(kNone);
  loss_sum_ = numbers_N_[kLossSum];
  finite_batches_ = numbers_N_[kFiniteBatches];
  clip_ = {numbers_N_[kNorm],      numbers_N_[kUpdates],   numbers_N_[kSkips],
           at::zeros({}, float32), at::zeros({}, float32), at::zeros({}, float32)};
  if (scaler_ == nullptr) return;
  constexpr int64_t kFirstRows = 1024;
  given_NG_ = at::zeros({kFirstRows, groups}, float32);
  behind_ = at::zeros({}, there.dtype(at::kLong));
}

void DeviceUpdater::add(const LossValue& value) {
  const at::NoGradGuard no_grad;
  const at::Tensor& loss = value.total;
  loss_sum_.add_(loss.nan_to_num(0, 0, 0));
  finite_batches_.add_(at::isfinite(loss));
  for (const auto& [name, number] : value.logged) {
    at::Tensor& component = components_[name];
    if (!component.defined()) component = at::zeros({2}, numbers_N_.options());
    component[0].add_(number);
    component[1].add_(1);
  }
}

void DeviceUpdater::set_rates(const std::vector<double>& rates) {
  const std::vector<double> all = rates.size() == 1 ? std::vector<double>(rates_G_.size(0), rates[0]) : rates;
  const at::Tensor staged_G = staged<float>(all, rates_G_.device());
  if (scaler_ == nullptr) {
    rates_G_.copy_(staged_G, /*non_blocking=*/true);
    return;
  }
  if (given_ == given_NG_.size(0)) given_NG_ = at::cat({given_NG_, at::zeros_like(given_NG_)});
  given_NG_[given_].copy_(staged_G, /*non_blocking=*/true);
  rates_G_.copy_(at::index_select(given_NG_, 0, (given_ - behind_).view(1))[0]);
  ++given_;
}

void DeviceUpdater::queue(TrainedSets& sets) {
  const at::NoGradGuard no_grad;
  at::Tensor squares;
  for (size_t i = 0; i < sets.all.size(); ++i) {
    if (!sets.all[i]->used || sets.is_outside(i) || sets.all[i]->gradients().flat().numel() == 0) continue;
    const at::Tensor part = sets.all[i]->queue_squared_norm();
    squares = squares.defined() ? squares + part : part;
  }
  if (!squares.defined()) squares = at::zeros({}, numbers_N_.options());
  if (scaler_ != nullptr) squares = squares / scaler_->scale().to(at::kDouble).square();
  cuda::clip(squares, sets.max_grad_norm, clip_);
  if (scaler_ != nullptr) at::Tensor(clip_.divisor).mul_(scaler_->scale());
  for (size_t i = 0; i < sets.all.size(); ++i) {
    const bool outside = sets.is_outside(i);
    if (sets.all[i]->used) {
      sets.all[i]->queue_update(rates_G_, sets.weight_decays, clip_, !outside, outside);
    } else {
      sets.all[i]->queue_drop(clip_);
    }
  }
  if (scaler_ == nullptr) return;
  scaler_->update(clip_.skipped);
  behind_.add_(clip_.skipped.to(at::kLong));
}

void DeviceUpdater::finish(TrainedSets& sets) {
  for (auto& set : sets.all) {
    if (set->used) set->queued();
  }
}

void DeviceUpdater::report(StepReport& out, const at::Tensor& embeddings_BD) {
  const at::NoGradGuard no_grad;
  const int64_t rows = embeddings_BD.size(0);
  std::vector<at::Tensor> all = {numbers_N_, cosine_squares(embeddings_BD).to(at::kDouble).view(1)};
  for (const auto& [name, component] : components_) all.push_back(component);
  if (scaler_ != nullptr) all.push_back(scaler_->scale().to(at::kDouble).view(1));
  const at::Tensor here = at::cat(all).to(at::kCPU);
  const double* number = here.data_ptr<double>();
  out.grad_norm = number[kNorm];
  out.updates = static_cast<int64_t>(number[kUpdates]);
  out.skipped = static_cast<int64_t>(number[kSkips]);
  out.loss = number[kFiniteBatches] > 0 ? number[kLossSum] / number[kFiniteBatches] : kNone;
  out.mean_cosine = mean_cosine(number[kNumbers], rows);
  number += kNumbers + 1;
  for (const auto& [name, component] : components_) {
    if (number[1] > 0) out.components[name] = number[0] / number[1];
    number += 2;
    at::Tensor(component).zero_();
  }
  if (scaler_ != nullptr) out.loss_scale = *number;
  numbers_N_.narrow(0, kNorm + 1, kNumbers - 1).zero_();
}

}  // namespace st
