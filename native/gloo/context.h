#pragma once

#include <chrono>

// See gloo/algorithm.h.
namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
