#include "core/yield.h"

#include <utility>

namespace st {

namespace {
thread_local const std::function<void()>* waiting = nullptr;
}  // namespace

void yield_here() {
  if (waiting == nullptr) return;
  const std::function<void()>& work = *waiting;
  const NoYields inside;
  work();
}

Yields::Yields(const std::function<void()>& work) : outer_(std::exchange(waiting, &work)) {}
Yields::~Yields() {
  waiting = outer_;
}

NoYields::NoYields() : outer_(std::exchange(waiting, nullptr)) {}
NoYields::~NoYields() {
  waiting = outer_;
}

}  // namespace st
