#pragma once

#include <atomic>

#include "core/error.h"
#include "engine/encoder.h"
#include "engine/network.h"

namespace st {

// The network that an encoder and its trainer share, and who may use it.
struct Encoder::Impl {
  explicit Impl(const EncoderSpec& spec) : network(spec) {}
  Network network;
  std::atomic<bool> disposed{false};
  std::atomic<bool> has_trainer{false};

  void check_open() const { check(!disposed, "ERR_DISPOSED", "The encoder was disposed"); }

  Network& open() {
    check_open();
    network.prepare();
    return network;
  }
  // Throws ERR_BUSY while there is a trainer.
  Network& untrained();
};

}  // namespace st
