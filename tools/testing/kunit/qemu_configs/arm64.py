# SPDX-License-Identifier: GPL-2.0
"""How kunit.py boots an arm64 kernel for the vmemmap suites.

mem=480M limits the kernel to the first 480 MiB of the guest's memory. The rest is the
device memory of the tests. It starts 32 MiB before the end of a section, whatever the
page size, so part of that section is boot memory. Several sections follow, even with
64K pages, whose sections have 512 MiB.
"""

import os
import platform

from ..qemu_config import QemuArchParams


# The cases touch scattered pages. By default, QEMU asks for huge pages, and the host clears
# all of each. memfd avoids that: QEMU takes 130 MB instead of 370 MB with 4K pages.
_RAM = ['-m', '4096', '-object', 'memory-backend-memfd,id=ram,size=4096M,share=on',
        '-machine', 'virt,memory-backend=ram']


def _cpu() -> list[str]:
    """The emulated CPU in KUNIT_QEMU_CPU, else KVM if available, else one with all features."""
    wanted = os.environ.get('KUNIT_QEMU_CPU')
    if wanted:
        return ['-accel', 'tcg', '-cpu', wanted]
    if platform.machine() == 'aarch64' and os.access('/dev/kvm', os.R_OK | os.W_OK):
        return ['-accel', 'kvm', '-cpu', 'host']
    return ['-cpu', 'max,pauth-impdef=on']


QEMU_ARCH = QemuArchParams(linux_arch='arm64',
                           kconfig='''
CONFIG_SERIAL_AMBA_PL011=y
CONFIG_SERIAL_AMBA_PL011_CONSOLE=y''',
                           qemu_arch='aarch64',
                           kernel_path='arch/arm64/boot/Image',
                           kernel_command_line='console=ttyAMA0 mem=480M '
                                               'vmemmap_kunit.memory=3616M@0x5e000000 '
                                               'memory_hotplug.memmap_on_memory=force',
                           extra_qemu_params=[*_RAM, *_cpu()])
