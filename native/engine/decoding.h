#pragma once

#include "engine/network.h"
#include "layers/text_decoder.h"

namespace st {

// A network's decoder at work on one batch. It refers to what it is given.
class BatchDecoder final : public TextDecoder {
 public:
  struct Options {
    DropoutKey dropout;
    bool training = false;           // whether to drop
    bool recompute = false;          // keep only the inputs of layers
    Gradients* gradients = nullptr;  // of the network; null: nothing is differentiated
  };
  // `rows`: what the encoder read.
  BatchDecoder(Network& network, const Rows& rows, const Options& options)
      : network_(network), input_(rows, network.device()), options_(options) {}

  at::Tensor loss(const at::Tensor& states_SD, std::span<const int32_t> ids, std::span<const int32_t> offsets) override;

 private:
  Network& network_;
  Input input_;
  Options options_;
};

}  // namespace st
